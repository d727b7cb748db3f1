using Cloud.Clusters;

namespace Cloud.Placement;

/// <summary>The clusters that a decision is about.</summary>
public sealed class Candidates(ClusterStore clusters)
{
    /// <summary>All live clusters, as they are and with what is reserved in them: the caller holds the lock of
    /// placement.</summary>
    public async Task<IReadOnlyList<Candidate>> OfAsync(DatabaseTransaction transaction, CancellationToken ct)
    {
        var seen = await ClusterStore.ObservationsAsync(transaction, ct);
        var reserved = await PlacementStore.ReservedAsync(transaction, ct);
        return [.. (await clusters.LiveAsync(transaction, ct)).Select(cluster =>
        {
            var view = seen.GetValueOrDefault(cluster.Id, Observation.None);
            var taken = reserved.GetValueOrDefault(cluster.Id, Reserved.Nothing);
            return new Candidate(
                cluster.Id, cluster.DisplayName, cluster.State, cluster is { ProvisionTime: not null, Uid: not null },
                cluster.AllowInstallations, view.Reachable, view.UnreachableReason,
                cluster.UtilizationThresholdPercent, view.Capacity.Allocatable,
                view.Capacity.Unreserved + taken.Room, taken.Installations, taken.Isolated);
        })];
    }
}
