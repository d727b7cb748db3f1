using Cloud.Clusters;
using Cloud.Placement;

namespace Cloud.ClusterInstallations;

/// <summary>
/// A cluster installation of which nothing can be in its cluster yet goes to another one when its own does not do: at
/// once when that is closed or let go, after a while when it only does not answer. Row and reservation move in the
/// transaction of the decision, under the lock of placement. The row gets a new version, so whoever is still about to
/// begin in the former cluster finds that it was moved, and does not begin: it is never in two clusters.
/// </summary>
public sealed class Replacement(
    ClusterStore clusters, ClusterInstallationStore store, Candidates candidates, Database database)
{
    /// <summary>How long a cluster that is silent is waited for.</summary>
    public static readonly TimeSpan SilencePatience = TimeSpan.FromMinutes(1);

    /// <summary>The cluster that it goes to; null when it stays: its cluster does, or it was begun there, or no other
    /// has room.</summary>
    public async Task<Candidate?> MoveAsync(ClusterInstallation row, Cluster cluster, CancellationToken ct)
    {
        if (await UnfitnessAsync(row, cluster, ct) is not { } unfitness) return null;
        return await database.InTransactionAsync(async (transaction, token) =>
        {
            // The row first and placement second, as in a request that resizes it: nobody waits in a circle.
            if (await ClusterInstallationStore.IsBegunAsync(transaction, row.Id, token)) return null;
            await PlacementStore.LockAsync(transaction, token);
            if (await PlacementStore.FindAsync(transaction, row.InstallationId, token) is not { } held
                || held.ClusterId != row.ClusterId) return null;
            var others = (await candidates.OfAsync(transaction, token)).Where(c => c.Id != row.ClusterId);
            if (Scoring.Choose(others, held.Room, held.Affinity) is not { Chosen: { } other } decision) return null;
            var moved = await store.ChangeAsync(
                transaction, row.Id,
                current => current.Version == row.Version && current.Epoch == row.Epoch
                    ? current with { ClusterId = other.Id }
                    : current,
                $"{cluster.DisplayName}: {unfitness}; it goes to {other.DisplayName}", token);
            if (moved?.ClusterId != other.Id) return null;
            await PlacementStore.MoveAsync(transaction, row.InstallationId, other.Id, decision.Reason, token);
            return other;
        }, ct);
    }

    private async Task<string?> UnfitnessAsync(ClusterInstallation row, Cluster cluster, CancellationToken ct)
    {
        if (cluster.State is ClusterState.DeletionRequested or ClusterState.DeletionFailed or ClusterState.Deleted)
            return "it is being let go";
        if (!cluster.AllowInstallations) return "an operator closed it to new installations";
        if (database.Now < row.StateSince + SilencePatience) return null;
        var seen = await clusters.ObservationAsync(cluster.Id, ct);
        return seen.Reachable ? null : $"it is not reachable: {seen.UnreachableReason}";
    }
}
