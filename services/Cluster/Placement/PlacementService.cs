using Cloud.ClusterInstallations;
using Cloud.Clusters;
using Cloud.ServiceDefaults.Hosting;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Proto = Cloud.Protos.Cluster.V1;

namespace Cloud.Placement;

/// <summary>
/// The gRPC face of placement. Decision and reservation are one transaction under <see cref="PlacementStore"/>'s lock.
/// A refusal is remembered in the same way, so that whoever was refused is nudged when there is room.
/// </summary>
public sealed class PlacementService(
    Database database, Candidates candidates, PlacementStore store, RequestLedger ledger)
    : Proto.PlacementService.PlacementServiceBase
{
    private const ErrorReason NoRoomReason = ErrorReason.ClustersFull;

    /// <summary>Clusters whose reasons an error carries: statuses travel in headers, which are small.</summary>
    private const int RefusalsToldMax = 20;

    public override async Task<Proto.Placement> PlaceInstallation(
        Proto.PlaceInstallationRequest request, ServerCallContext context)
    {
        var problems = new FieldProblems();
        var installation = PlacementChecks.Installation(request.Installation, "installation", problems);
        var size = PlacementChecks.Size(request.Size, "size", problems);
        var affinity = PlacementChecks.Affinity(request.Affinity, problems);
        problems.ThrowIfAny();

        Task<Proto.Placement> Decide(DatabaseTransaction transaction, CancellationToken ct) =>
            DecideAsync(transaction, installation, size!, affinity, request.InstallationEpoch, ct);
        try
        {
            return await ledger.MutateAsync(context.Method, request, Decide, context.CancellationToken);
        }
        catch (ProblemException refused) when (refused.Reason == NoRoomReason && !request.ValidateOnly)
        {
            return await DecideOrWaitAsync(installation, Decide, context.CancellationToken);
        }
    }

    public override async Task<Proto.ReleasePlacementResponse> ReleasePlacement(
        Proto.ReleasePlacementRequest request, ServerCallContext context)
    {
        var problems = new FieldProblems();
        var installation = PlacementChecks.Installation(request.Installation, "installation", problems);
        problems.ThrowIfAny();
        return await ledger.MutateAsync(context.Method, request, async (transaction, ct) =>
        {
            await RaiseEpochAsync(transaction, installation, request.InstallationEpoch, ct);
            await PlacementStore.ReleaseAsync(transaction, installation, clusterId: null, ct);
            return new Proto.ReleasePlacementResponse();
        }, context.CancellationToken);
    }

    public override async Task<Proto.ListPlacementsResponse> ListPlacements(
        Proto.ListPlacementsRequest request, ServerCallContext context)
    {
        var problems = new FieldProblems();
        var cluster = PlacementChecks.ClusterFilter(request.Cluster, problems);
        var size = PageSize.Of(request.PageSize, problems);
        var hash = PageToken.HashOf("placements", cluster);
        var after = PageKey.Read(request.PageToken, hash, problems);
        problems.ThrowIfAny();

        var rows = await store.ListAsync(cluster, after, size + 1, context.CancellationToken);
        var reply = new Proto.ListPlacementsResponse();
        var last = Page.Fill(reply.Placements, rows, size, Message);
        reply.NextPageToken = last is null ? "" : new PageKey(last.CreateTime, last.InstallationId).ToToken(hash);
        return reply;
    }

    /// <summary>The refused transaction is gone with all it wrote. That somebody waits is noted in one that decides
    /// once more: room that came in between is taken, and what comes later finds the note.</summary>
    private async Task<Proto.Placement> DecideOrWaitAsync(
        string installation, Func<DatabaseTransaction, CancellationToken, Task<Proto.Placement>> decide,
        CancellationToken ct)
    {
        var (placement, refused) = await database.InTransactionAsync<(Proto.Placement?, ProblemException?)>(
            async (transaction, token) =>
            {
                try
                {
                    return (await decide(transaction, token), null);
                }
                catch (ProblemException refused) when (refused.Reason == NoRoomReason)
                {
                    await PlacementStore.WaitAsync(transaction, installation, token);
                    return (null, refused);
                }
            },
            ct);
        return placement ?? throw refused!;
    }

    private async Task<Proto.Placement> DecideAsync(
        DatabaseTransaction transaction, string installation, WorkspaceSize size, Affinity affinity, long epoch,
        CancellationToken ct)
    {
        await RaiseEpochAsync(transaction, installation, epoch, ct);
        if (await PlacementStore.FindAsync(transaction, installation, ct) is { } known) return Message(known);

        await PlacementStore.LockAsync(transaction, ct);
        var requirement = size.Requirement(hibernated: false);
        var decision = Scoring.Choose(await candidates.OfAsync(transaction, ct), requirement, affinity);
        if (decision.Chosen is not { } chosen) throw NoRoom(decision);
        var reservation = new Reservation
        {
            InstallationId = installation,
            ClusterId = chosen.Id,
            Size = size.Name,
            Affinity = affinity,
            CpuMillis = requirement.CpuMillis,
            MemoryBytes = requirement.MemoryBytes,
            Pods = requirement.Pods,
            Reason = decision.Reason,
            CreateTime = transaction.Now,
        };
        await PlacementStore.ReserveAsync(transaction, reservation, ct);
        return Message(reservation);
    }

    private static async Task RaiseEpochAsync(
        DatabaseTransaction transaction, string installation, long epoch, CancellationToken ct)
    {
        if (await PlacementStore.RaiseEpochAsync(transaction, installation, epoch, ct) is { } highest)
            throw PlacementChecks.StaleEpoch(installation, epoch, highest);
    }

    private static ProblemException NoRoom(Decision refused) => Problem.Exhausted(
        NoRoomReason,
        $"No cluster has room: {refused.Reason}.",
        refused.Refusals.Take(RefusalsToldMax).ToDictionary(
            r => Cluster.NameOf(r.ClusterId), r => $"{r.Reason.Text()}: {r.Why}", StringComparer.Ordinal));

    private static Proto.Placement Message(Reservation row) => new()
    {
        Installation = ClusterInstallationMessages.InstallationNameOf(row.InstallationId),
        Cluster = Cluster.NameOf(row.ClusterId),
        Size = row.Size,
        CpuMillis = row.CpuMillis,
        MemoryBytes = row.MemoryBytes,
        Pods = row.Pods,
        Reason = row.Reason,
        CreateTime = row.CreateTime.ToTimestamp(),
    };
}
