using Cloud.Clusters;
using Cloud.Placement;
using Cloud.Providers;
using static Cloud.ClusterInstallations.ClusterInstallationState;
using static Cloud.ServiceDefaults.Supervision.Outcome;

namespace Cloud.ClusterInstallations;

/// <summary>
/// deletion-requested -> deleted: resource and namespace are removed, and seen to be gone, before the row says so and
/// the room is given back, in one transaction. What a stale worker brings back after that is removed by
/// <see cref="Drift"/>.
/// </summary>
public sealed class Deletion(
    ClusterStore clusters, ClusterInstallationStore store, WorkspaceObjects objects, TimeProvider time)
{
    /// <summary>How long to wait for the namespace's end without hearing of it; its removal nudges.</summary>
    private static readonly TimeSpan NamespaceWait = TimeSpan.FromSeconds(15);

    /// <summary>deletion-requested: remove, look, remove what is there again.</summary>
    public async Task<ClusterInstallationOutcome> RemoveAsync(ClusterInstallation row, CancellationToken ct)
    {
        var cluster = await clusters.FindAsync(row.ClusterId, ct);
        if (cluster is null or { State: ClusterState.Deleted })
            return Gone(row, "its cluster was let go");
        if (!await store.IsBegunAsync(row.Id, ct)) return Gone(row, "nothing of it was begun");
        return await objects.RemoveAsync(cluster, row, ct) is { } left
            ? Wait($"namespace {left.Metadata.Name} is being removed from {cluster.DisplayName}", NamespaceWait)
            : Gone(row, $"nothing of it is left in {cluster.DisplayName}");
    }

    private ClusterInstallationOutcome Gone(ClusterInstallation row, string why) => Go(
        Deleted, why, row with { DeleteTime = time.GetUtcNow(), Status = OperatorStatus.None },
        (transaction, token) => PlacementStore.ReleaseAsync(transaction, row.InstallationId, row.ClusterId, token));
}
