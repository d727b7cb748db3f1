using Cloud.Clusters;
using Cloud.Providers;
using static Cloud.ClusterInstallations.ClusterInstallationState;
using static Cloud.ServiceDefaults.Supervision.Outcome;

namespace Cloud.ClusterInstallations;

/// <summary>
/// reconciling (-> ready) -> stable: what is wanted is written if it is not yet, and the operator's report is followed
/// until it says that the newest spec is done. The same path creates, updates, hibernates, wakes up and mends: an
/// update, or a cluster that shows something else than what was wanted, begins at reconciling again.
/// <para>What the operator reports as wrong may be something of ours that was removed, such as the database's Secret,
/// and no watch of ours shows that: while there is an error everything is written again at each look, less and less
/// often the longer it lasts.</para>
/// </summary>
public sealed class Update(ClusterStore clusters, WorkspaceObjects objects, TimeProvider time)
{
    /// <summary>How long to wait for the operator without hearing from it; what it reports nudges.</summary>
    private static readonly TimeSpan OperatorWait = TimeSpan.FromSeconds(20);

    /// <summary>The longest such wait when it reports an error: that is seldom ours to mend.</summary>
    private static readonly TimeSpan ErrorWaitMax = TimeSpan.FromMinutes(5);

    /// <summary>reconciling, ready: write what is missing, then see what the operator says.</summary>
    public async Task<ClusterInstallationOutcome> FollowAsync(ClusterInstallation row, CancellationToken ct)
    {
        var cluster = await clusters.FindAsync(row.ClusterId, ct)
            ?? throw new InvalidOperationException($"{row.Name} refers to a cluster that was never imported.");
        var resource = await objects.FindAsync(cluster, row, ct);
        if (resource is not null && IsWritten(row, resource) && !NeedsMending(resource)) return Judge(row, resource);

        resource = await objects.EnsureAsync(cluster, row, ct);
        return resource is null
            ? Wait(Creation.NamespaceGoing, Creation.NamespaceWait)
            : Judge(Creation.Written(row, resource), resource);
    }

    /// <summary>Whether the resource, as a watch shows it, leads further than where the row waits: it has to be written
    /// again, the operator is done, is halfway, or reports something else that went wrong.</summary>
    internal static bool CanGoOn(ClusterInstallation row, MattermostResource? resource)
    {
        if (resource is null || !IsWritten(row, resource) || resource.IsStable) return true;
        var isReady = resource.IsCurrent && resource.Status?.State == "ready";
        return isReady != (row.State == Ready) || resource.Report().Error != row.Status.Error;
    }

    /// <summary>This very resource was written from the newest spec.</summary>
    private static bool IsWritten(ClusterInstallation row, MattermostResource resource) =>
        row.AppliedGeneration == row.Generation && resource.Metadata.Uid == row.ResourceUid;

    private static bool NeedsMending(MattermostResource resource) =>
        !resource.IsStable && resource.Report().Error.Length > 0;

    private ClusterInstallationOutcome Judge(ClusterInstallation row, MattermostResource resource)
    {
        var status = resource.Report();
        var seen = row with
        {
            Status = status,
            ObservedGeneration = resource.IsCurrent ? row.AppliedGeneration : row.ObservedGeneration,
            ResourceGeneration = resource.Metadata.Generation ?? 0,
        };
        var wait = NeedsMending(resource) ? ErrorWait(row) : OperatorWait;
        if (resource.IsStable) return Go(Stable, Done(row, status), seen);
        if (resource.IsCurrent && status.State == "ready")
            return row.State == Ready
                ? Wait<ClusterInstallation, ClusterInstallationState>(Pods(row, status), wait, seen)
                : Go(Ready, Pods(row, status), seen);
        return row.State == Ready
            ? Go(Reconciling, Pending(row, resource), seen)
            : Wait<ClusterInstallation, ClusterInstallationState>(Pending(row, resource), wait, seen);
    }

    /// <summary>As long as it has lasted already, within bounds.</summary>
    private TimeSpan ErrorWait(ClusterInstallation row)
    {
        var lasted = time.GetUtcNow() - row.StateSince;
        return lasted < OperatorWait ? OperatorWait : lasted < ErrorWaitMax ? lasted : ErrorWaitMax;
    }

    private static string Done(ClusterInstallation row, OperatorStatus status) => row.Spec.Hibernated
        ? "the operator reports that no pod runs any more"
        : $"the operator reports {status.UpdatedReplicas} pods of {row.Spec.Version}";

    private static string Pods(ClusterInstallation row, OperatorStatus status) =>
        $"{status.UpdatedReplicas} of {row.Replicas} pods of {row.Spec.Version} answer";

    private static string Pending(ClusterInstallation row, MattermostResource resource)
    {
        if (resource.Status is not { } status) return "the operator has not seen the resource yet";
        if (!string.IsNullOrEmpty(status.Error)) return $"the operator reports: {status.Error}";
        return resource.IsCurrent
            ? $"the operator is at work: {Pods(row, resource.Report())}"
            : "the operator has not seen the newest spec yet";
    }
}
