using Cloud.Clusters;
using Cloud.Providers;
using static Cloud.ClusterInstallations.ClusterInstallationState;
using static Cloud.ServiceDefaults.Supervision.Outcome;

namespace Cloud.ClusterInstallations;

/// <summary>creation-requested -> reconciling: everything is written into the cluster once. A cluster that does not do
/// is exchanged for another one as long as nothing was begun there (<see cref="Replacement"/>).</summary>
public sealed class Creation(ClusterStore clusters, WorkspaceObjects objects, Replacement replacement)
{
    /// <summary>How long to wait for the end of a namespace of the same name; its removal nudges.</summary>
    internal static readonly TimeSpan NamespaceWait = TimeSpan.FromSeconds(15);

    /// <summary>The row has been moved, so the answer is not saved and the next pass begins at once.</summary>
    private static readonly TimeSpan MovedWait = TimeSpan.FromSeconds(5);

    /// <summary>Why nothing can be written yet.</summary>
    internal const string NamespaceGoing =
        "the namespace is being removed from the cluster; it is made anew after that";

    /// <summary>creation-requested: the objects are written.</summary>
    public async Task<ClusterInstallationOutcome> WriteAsync(ClusterInstallation row, CancellationToken ct)
    {
        var cluster = await clusters.FindAsync(row.ClusterId, ct);
        if (cluster is not null && await replacement.MoveAsync(row, cluster, ct) is { } other)
            return Wait($"it goes to {other.DisplayName}", MovedWait);
        if (cluster is null or { State: ClusterState.Deleted })
            throw new StepException(
                ErrorReason.ClusterGone, $"{Cluster.NameOf(row.ClusterId)} was let go.");
        var written = await objects.EnsureAsync(cluster, row, ct);
        return written is null
            ? Wait(NamespaceGoing, NamespaceWait)
            : Go(Reconciling, "its objects are written; the operator takes over", Written(row, written));
    }

    /// <summary>The row after its objects were written.</summary>
    internal static ClusterInstallation Written(ClusterInstallation row, MattermostResource resource) => row with
    {
        AppliedGeneration = row.Generation,
        ResourceUid = resource.Metadata.Uid ?? "",
        ResourceGeneration = resource.Metadata.Generation ?? 0,
    };
}
