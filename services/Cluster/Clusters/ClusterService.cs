using Cloud.ClusterInstallations;
using Cloud.Placement;
using Cloud.Providers;
using Cloud.ServiceDefaults.Hosting;
using Google.Protobuf;
using Grpc.Core;
using Npgsql;
using static Cloud.Clusters.ClusterState;
using Proto = Cloud.Protos.Cluster.V1;

namespace Cloud.Clusters;

/// <summary>The gRPC face: checks everything at once, writes the wish with its event in one transaction, answers. The
/// work is the journeys'.</summary>
public sealed class ClusterService(
    ClusterStore store,
    ClusterViews views,
    ClusterFeed feed,
    ClusterWhy why,
    ClusterConnections connections,
    Forgetting forgetting,
    RequestLedger ledger) : Proto.ClusterService.ClusterServiceBase
{
    /// <summary>First segment of the resource names.</summary>
    public const string Collection = "clusters";

    private static readonly IReadOnlyDictionary<ClusterState, ClusterState> Provisioned =
        new[] { Stable, CreationFailed, ProvisioningRequested, ProvisioningFailed }
            .ToDictionary(state => state, _ => ProvisioningRequested);

    private static readonly IReadOnlyDictionary<ClusterState, ClusterState> Retried =
        new Dictionary<ClusterState, ClusterState>
        {
            [CreationFailed] = CreationRequested,
            [ProvisioningFailed] = ProvisioningRequested,
            [DeletionFailed] = DeletionRequested,
        };

    public override async Task<Proto.Cluster> ImportCluster(
        Proto.ImportClusterRequest request, ServerCallContext context)
    {
        var problems = new FieldProblems();
        var (wish, kubeconfig) = ClusterChecks.Import(request, problems);
        problems.ThrowIfAny();
        var made = await NamingAsync(wish.DisplayName, () => ledger.MutateAsync(
            context.Method, request,
            async (transaction, ct) =>
            {
                var row = NewRow(wish, kubeconfig!);
                return ClusterMessages.Of(await store.InsertAsync(transaction, row, "it was imported", ct))
                    .With(Observation.None, Reserved.Nothing);
            },
            context.CancellationToken));
        if (request.ValidateOnly) made.Name = "";
        return made;
    }

    public override async Task<Proto.Cluster> GetCluster(Proto.GetClusterRequest request, ServerCallContext context) =>
        await views.OfAsync(await FindAsync(request.Name, context.CancellationToken), context.CancellationToken);

    public override async Task<Proto.ListClustersResponse> ListClusters(
        Proto.ListClustersRequest request, ServerCallContext context)
    {
        var ct = context.CancellationToken;
        var problems = new FieldProblems();
        ClusterChecks.States<ClusterState>(request.States, problems);
        var size = PageSize.Of(request.PageSize, problems);
        var hash = PageToken.HashOf(["clusters", request.ShowDeleted ? "all" : "live", .. request.States.Order()]);
        var after = PageKey.Read(request.PageToken, hash, problems);
        problems.ThrowIfAny();

        var rows = await store.ListAsync(request.States, request.ShowDeleted, after, size + 1, ct);
        var shown = (await views.OfAsync(rows, ct)).ToDictionary(cluster => cluster.Name);
        var reply = new Proto.ListClustersResponse();
        var last = Page.Fill(reply.Clusters, rows, size, row => shown[row.Name]);
        reply.NextPageToken = last is null ? "" : PageKey.Of(last).ToToken(hash);
        return reply;
    }

    public override async Task<Proto.Cluster> UpdateCluster(
        Proto.UpdateClusterRequest request, ServerCallContext context)
    {
        var wish = request.Cluster ?? new Proto.Cluster();
        var problems = new FieldProblems();
        var id = ResourceName.IdOf(wish.Name, Collection, "cluster.name", problems);
        var kubeconfig = ClusterChecks.Update(request, problems);
        problems.ThrowIfAny();
        return await NamingAsync(wish.DisplayName, () => ledger.MutateAsync(
            context.Method, request,
            async (transaction, ct) =>
            {
                var row = await store.ChangeAsync(
                    transaction, id, before => Updated(before, request, wish, kubeconfig), "it was changed", ct)
                    ?? throw Problem.NotFound(wish.Name);
                await PlacementStore.TellWaitingAsync(transaction, ct);
                // Those that are not begun there may go elsewhere when it was closed.
                foreach (var waiting in await ClusterInstallationStore.UnderWayAsync(transaction, id, ct))
                    transaction.NudgeAfterCommit(new Nudge(ClusterInstallation.Noun, waiting));
                return await ClusterViews.OfAsync(transaction, row, ct);
            },
            context.CancellationToken));
    }

    public override Task<Proto.Cluster> ProvisionCluster(
        Proto.ProvisionClusterRequest request, ServerCallContext context) =>
        MoveAsync(request.Name, request.Etag, request, "provision", Provisioned, context);

    public override Task<Proto.Cluster> RetryCluster(Proto.RetryClusterRequest request, ServerCallContext context) =>
        MoveAsync(request.Name, request.Etag, request, "retry", Retried, context);

    public override Task<Proto.Cluster> DeleteCluster(Proto.DeleteClusterRequest request, ServerCallContext context)
    {
        var id = ResourceName.IdOf(request.Name, Collection);
        return ledger.MutateAsync(
            context.Method, request,
            async (transaction, ct) =>
            {
                // Under the lock of placement, so that nothing is placed here between the look and the commit.
                await PlacementStore.LockAsync(transaction, ct);
                var inside = await ClusterStore.InhabitantsAsync(transaction, id, ct);
                var row = request.Force
                    ? await forgetting.ForgetAsync(transaction, id, request.Etag, inside, ct)
                    : await store.ChangeAsync(transaction, id, before =>
                    {
                        CheckEtag(before, request.Etag);
                        if (before.State is DeletionRequested or Deleted) return before;
                        return inside.Count == 0
                            ? before with { State = DeletionRequested }
                            : throw Forgetting.InUse(before, inside);
                    }, "deletion was asked for", ct);
                return await ClusterViews.OfAsync(transaction, row ?? throw Problem.NotFound(request.Name), ct);
            },
            context.CancellationToken);
    }

    public override Task WatchClusters(
        Proto.WatchClustersRequest request,
        IServerStreamWriter<Proto.WatchClustersResponse> responseStream,
        ServerCallContext context) =>
        feed.StreamAsync(request, responseStream, context.CancellationToken);

    public override async Task<Proto.WhyClusterResponse> WhyCluster(
        Proto.WhyClusterRequest request, ServerCallContext context)
    {
        var row = await FindAsync(request.Name, context.CancellationToken);
        return new Proto.WhyClusterResponse { Chain = { await why.ExplainAsync(row, context.CancellationToken) } };
    }

    private Task<Proto.Cluster> MoveAsync(
        string name, string etag, IMessage request, string verb,
        IReadOnlyDictionary<ClusterState, ClusterState> moves, ServerCallContext context)
    {
        var id = ResourceName.IdOf(name, Collection);
        return ledger.MutateAsync(
            context.Method, request,
            async (transaction, ct) =>
            {
                var row = await store.ChangeAsync(transaction, id, before =>
                {
                    CheckEtag(before, etag);
                    return moves.TryGetValue(before.State, out var target)
                        ? before with { State = target }
                        : throw WrongState(before, verb, moves.Keys);
                }, $"somebody asked to {verb} it", ct);
                return await ClusterViews.OfAsync(transaction, row ?? throw Problem.NotFound(name), ct);
            },
            context.CancellationToken);
    }

    private Cluster NewRow(Proto.Cluster wish, Kubeconfig kubeconfig) => new()
    {
        Id = ResourceId.New(),
        State = CreationRequested,
        DisplayName = wish.DisplayName,
        AllowInstallations = !wish.HasAllowInstallations || wish.AllowInstallations,
        UtilizationThresholdPercent = wish.UtilizationThresholdPercent,
        Server = kubeconfig.Server.ToString(),
        EncryptedKubeconfig = connections.Encrypt(kubeconfig),
    };

    private Cluster Updated(Cluster row, Proto.UpdateClusterRequest request, Proto.Cluster wish, Kubeconfig? kubeconfig)
    {
        CheckEtag(row, wish.Etag);
        if (row.State is DeletionRequested or Deleted)
            throw WrongState(row, "update", Enum.GetValues<ClusterState>().Except([DeletionRequested, Deleted]));
        var changed = row.With(wish, request.UpdateMask);
        return kubeconfig is null ? changed : changed with
        {
            Server = kubeconfig.Server.ToString(),
            EncryptedKubeconfig = connections.Encrypt(kubeconfig),
            KubeconfigRevision = row.KubeconfigRevision + 1,
            Uid = null,
            // New credentials are what a failed one waits for, and may lead to another cluster than before.
            State = row.State switch
            {
                CreationFailed => CreationRequested,
                Stable or ProvisioningFailed => ProvisioningRequested,
                _ => row.State,
            },
        };
    }

    private async Task<Cluster> FindAsync(string name, CancellationToken ct) =>
        await store.FindAsync(ResourceName.IdOf(name, Collection), ct) ?? throw Problem.NotFound(name);

    private static async Task<T> NamingAsync<T>(string displayName, Func<Task<T>> write)
    {
        try
        {
            return await write();
        }
        catch (PostgresException e) when (e.ConstraintName == ClusterStore.DisplayNameConstraint)
        {
            throw NameTaken(displayName);
        }
    }

    private static ProblemException NameTaken(string displayName) =>
        Problem.AlreadyExists("cluster.display_name", displayName, ErrorReason.DisplayNameTaken);

    private static void CheckEtag(Cluster row, string etag) =>
        ResourceName.CheckEtag(row.Name, etag, ClusterMessages.EtagOf(row));

    private static ProblemException WrongState(Cluster row, string verb, IEnumerable<ClusterState> allowed) =>
        Problem.WrongState(row.Name, StateNames<ClusterState>.Of(row.State), verb,
            allowed.Select(StateNames<ClusterState>.Of));
}
