using Cloud.Clusters;
using Cloud.Placement;
using Cloud.ServiceDefaults.Hosting;
using Google.Protobuf.Reflection;
using Grpc.Core;
using static Cloud.ClusterInstallations.ClusterInstallationState;
using Proto = Cloud.Protos.Cluster.V1;

namespace Cloud.ClusterInstallations;

/// <summary>The gRPC face: checks everything at once, refuses overtaken callers, writes the wish with its event in one
/// transaction, answers. The work is the journeys'.</summary>
public sealed class ClusterInstallationService(
    ClusterInstallationStore store,
    ClusterStore clusters,
    ClusterInstallationFeed feed,
    ClusterInstallationWhy why,
    Resizing resizing,
    RequestLedger ledger) : Proto.ClusterInstallationService.ClusterInstallationServiceBase
{
    /// <summary>First segment of the resource names.</summary>
    public const string Collection = "clusterInstallations";

    private static readonly ClusterInstallationState[] Updatable =
        [CreationRequested, Reconciling, Ready, Stable, CreationFailed];

    public override async Task<Proto.ClusterInstallation> CreateClusterInstallation(
        Proto.CreateClusterInstallationRequest request, ServerCallContext context)
    {
        var wish = request.ClusterInstallation ?? new Proto.ClusterInstallation();
        var problems = new FieldProblems();
        var installation = PlacementChecks.Installation(
            wish.Installation, "cluster_installation.installation", problems);
        var cluster = PlacementChecks.ClusterId(wish.Cluster, "cluster_installation.cluster", problems);
        ClusterInstallationChecks.Spec(wish.Spec ?? new Proto.ClusterInstallationSpec(), problems);
        problems.ThrowIfAny();
        if (await clusters.FindAsync(cluster, context.CancellationToken) is not { DeleteTime: null })
            throw Problem.NotFound(wish.Cluster);

        var made = await ledger.MutateAsync(
            context.Method, request,
            async (transaction, ct) =>
            {
                // Requests about one installation take turns from here on, so that only one inserts.
                await RaiseEpochAsync(transaction, installation, request.InstallationEpoch, ct);
                // Where its room is kept is where it goes: it may have been moved since the caller was told.
                if (await PlacementStore.FindAsync(transaction, installation, ct) is { } held)
                    cluster = held.ClusterId;
                if (await store.FindAsync(transaction, installation, cluster, ct) is { } known)
                    return ClusterInstallationMessages.Of(known);
                var row = new ClusterInstallation
                {
                    Id = ResourceId.New(),
                    State = CreationRequested,
                    InstallationId = installation,
                    ClusterId = cluster,
                    Spec = ClusterInstallationMessages.SpecOf(wish.Spec!),
                    Epoch = await ClusterInstallationStore.FirstEpochAsync(transaction, installation, ct),
                };
                return ClusterInstallationMessages.Of(
                    await store.InsertAsync(transaction, row, "it was asked for", ct));
            },
            context.CancellationToken);
        if (request.ValidateOnly) made.Name = "";
        return made;
    }

    public override async Task<Proto.ClusterInstallation> GetClusterInstallation(
        Proto.GetClusterInstallationRequest request, ServerCallContext context) =>
        ClusterInstallationMessages.Of(await FindAsync(request.Name, context.CancellationToken));

    public override async Task<Proto.ListClusterInstallationsResponse> ListClusterInstallations(
        Proto.ListClusterInstallationsRequest request, ServerCallContext context)
    {
        var problems = new FieldProblems();
        var filter = new ClusterInstallationStore.Filter(
            request.Installation.Length == 0
                ? "" : PlacementChecks.Installation(request.Installation, "installation", problems),
            PlacementChecks.ClusterFilter(request.Cluster, problems),
            request.States,
            request.ShowDeleted);
        ClusterChecks.States<ClusterInstallationState>(request.States, problems);
        var size = PageSize.Of(request.PageSize, problems);
        var hash = PageToken.HashOf([
            "cluster-installations", filter.InstallationId, filter.ClusterId, filter.DeletedToo ? "all" : "live",
            .. request.States.Order()]);
        var after = PageKey.Read(request.PageToken, hash, problems);
        problems.ThrowIfAny();

        var rows = await store.ListAsync(filter, after, size + 1, context.CancellationToken);
        var reply = new Proto.ListClusterInstallationsResponse();
        var last = Page.Fill(reply.ClusterInstallations, rows, size, ClusterInstallationMessages.Of);
        reply.NextPageToken = last is null ? "" : PageKey.Of(last).ToToken(hash);
        return reply;
    }

    public override async Task<Proto.ClusterInstallation> UpdateClusterInstallation(
        Proto.UpdateClusterInstallationRequest request, ServerCallContext context)
    {
        var wish = request.ClusterInstallation ?? new Proto.ClusterInstallation();
        var problems = new FieldProblems();
        var id = ResourceName.IdOf(wish.Name, Collection, "cluster_installation.name", problems);
        var fields = ClusterInstallationChecks.SpecFields(request.UpdateMask, problems);
        problems.ThrowIfAny();
        var installation = (await FindAsync(wish.Name, context.CancellationToken)).InstallationId;

        return await resizing.RememberingAsync(installation, request.ValidateOnly, () => ledger.MutateAsync(
            context.Method, request,
            async (transaction, ct) =>
            {
                await RaiseEpochAsync(transaction, installation, request.InstallationEpoch, ct);
                var row = await store.ChangeAsync(
                    transaction, id, before => Updated(before, wish, fields), "a change was asked for", ct)
                    ?? throw Problem.NotFound(wish.Name);
                await resizing.ResizeAsync(
                    transaction, installation, row.Spec.Size, row.Size.Requirement(row.Spec.Hibernated), ct);
                return ClusterInstallationMessages.Of(row);
            },
            context.CancellationToken), context.CancellationToken);
    }

    public override Task<Proto.ClusterInstallation> RetryClusterInstallation(
        Proto.RetryClusterInstallationRequest request, ServerCallContext context)
    {
        var id = ResourceName.IdOf(request.Name, Collection);
        return ledger.MutateAsync(
            context.Method, request,
            async (transaction, ct) => ClusterInstallationMessages.Of(
                await store.ChangeAsync(transaction, id, before =>
                {
                    CheckEtag(before, request.Etag);
                    return before.State switch
                    {
                        CreationFailed => before with { State = CreationRequested },
                        DeletionFailed => before with { State = DeletionRequested },
                        _ => throw WrongState(before, "retry", [CreationFailed, DeletionFailed]),
                    };
                }, "somebody asked to retry it", ct) ?? throw Problem.NotFound(request.Name)),
            context.CancellationToken);
    }

    public override async Task<Proto.ClusterInstallation> DeleteClusterInstallation(
        Proto.DeleteClusterInstallationRequest request, ServerCallContext context)
    {
        var id = ResourceName.IdOf(request.Name, Collection);
        var installation = (await FindAsync(request.Name, context.CancellationToken)).InstallationId;
        return await ledger.MutateAsync(
            context.Method, request,
            async (transaction, ct) =>
            {
                await RaiseEpochAsync(transaction, installation, request.InstallationEpoch, ct);
                var row = await store.ChangeAsync(transaction, id, before =>
                {
                    CheckEtag(before, request.Etag);
                    return before.State is DeletionRequested or Deleted
                        ? before
                        : before with { State = DeletionRequested };
                }, "deletion was asked for", ct);
                return ClusterInstallationMessages.Of(row ?? throw Problem.NotFound(request.Name));
            },
            context.CancellationToken);
    }

    public override Task WatchClusterInstallations(
        Proto.WatchClusterInstallationsRequest request,
        IServerStreamWriter<Proto.WatchClusterInstallationsResponse> responseStream,
        ServerCallContext context) =>
        feed.StreamAsync(request, responseStream, context.CancellationToken);

    public override async Task<Proto.WhyClusterInstallationResponse> WhyClusterInstallation(
        Proto.WhyClusterInstallationRequest request, ServerCallContext context)
    {
        var row = await FindAsync(request.Name, context.CancellationToken);
        return new Proto.WhyClusterInstallationResponse
        {
            Chain = { await why.ExplainAsync(row, context.CancellationToken) },
        };
    }

    private static ClusterInstallation Updated(
        ClusterInstallation row, Proto.ClusterInstallation wish, IReadOnlyList<FieldDescriptor> fields)
    {
        CheckEtag(row, wish.Etag);
        if (!Updatable.Contains(row.State))
            throw WrongState(row, "update", Updatable);
        var merged = ClusterInstallationChecks.Merged(
            ClusterInstallationMessages.Of(row.Spec), wish.Spec ?? new Proto.ClusterInstallationSpec(), fields);
        var problems = new FieldProblems();
        ClusterInstallationChecks.Spec(merged, problems);
        problems.ThrowIfAny();
        var spec = ClusterInstallationMessages.SpecOf(merged);
        return spec == row.Spec ? row : row with
        {
            Spec = spec,
            Generation = row.Generation + 1,
            // One that was never written completely begins from the start.
            State = row.State is CreationRequested or CreationFailed ? CreationRequested : Reconciling,
        };
    }

    private static ProblemException WrongState(
        ClusterInstallation row, string verb, IEnumerable<ClusterInstallationState> allowed) =>
        Problem.WrongState(row.Name, StateNames<ClusterInstallationState>.Of(row.State), verb,
            allowed.Select(StateNames<ClusterInstallationState>.Of));

    private async Task<ClusterInstallation> FindAsync(string name, CancellationToken ct) =>
        await store.FindAsync(ResourceName.IdOf(name, Collection), ct) ?? throw Problem.NotFound(name);

    private static async Task RaiseEpochAsync(
        DatabaseTransaction transaction, string installation, long epoch, CancellationToken ct)
    {
        if (await PlacementStore.RaiseEpochAsync(transaction, installation, epoch, ct) is { } highest)
            throw PlacementChecks.StaleEpoch(installation, epoch, highest);
    }

    private static void CheckEtag(ClusterInstallation row, string etag) =>
        ResourceName.CheckEtag(row.Name, etag, ClusterInstallationMessages.EtagOf(row));
}
