using Cloud.Clusters;
using Cloud.Protos.Supervision.V1;
using Cloud.Providers;
using Cloud.ServiceDefaults.Hosting;
using static Cloud.ClusterInstallations.ClusterInstallationState;

namespace Cloud.ClusterInstallations;

/// <summary>Why a cluster installation is where it is: from the row to the operator's report, to the pods that hold it
/// up,
/// to the cluster when that is the reason.</summary>
public sealed class ClusterInstallationWhy(ClusterStore clusters, ClusterWhy clusterWhy, PodTroubles troubles)
{
    /// <summary>From the cluster installation down to what is really awaited.</summary>
    public async Task<IReadOnlyList<Explanation>> ExplainAsync(ClusterInstallation row, CancellationToken ct)
    {
        var chain = new List<Explanation> 
        {
            SupervisionMessages.Explain(row, ClusterWhy.ServiceName, row.Name, AtRest(row), Advice(row)),
        };
        if (row.State is Deleted || await clusters.FindAsync(row.ClusterId, ct) is not { } cluster) return chain;

        var seen = await clusters.ObservationAsync(cluster.Id, ct);
        if (!seen.Reachable || cluster.State != ClusterState.Stable || IsAboutCluster(row.LastErrorCode))
            return [.. chain, .. SupervisionMessages.Beneath(await clusterWhy.ExplainAsync(cluster, ct))];
        if (row.State is Reconciling or Ready && row.Status.State.Length > 0)
            chain.Add(OfOperator(row, cluster));
        var podDepth = chain.Count;
        if (row.State is Reconciling or Ready or DeletionRequested or Stable)
            foreach (var trouble in await troubles.FindAsync(cluster, row.Namespace, ct) ?? [])
                chain.Add(ClusterWhy.OfPod(cluster.Name, row.Namespace, trouble, podDepth));
        return chain;
    }

    private static bool IsAboutCluster(string? code) =>
        ErrorReasons.Of(code) is ErrorReason.ClusterUnreachable or ErrorReason.ClusterUnauthorized
            or ErrorReason.ClusterForbidden or ErrorReason.ClusterBusy or ErrorReason.ClusterLacksObject;

    private static Explanation OfOperator(ClusterInstallation row, Cluster cluster) => new()
    {
        Resource = $"{cluster.Name}/namespaces/{row.Namespace}/mattermosts/{row.ResourceName}",
        Depth = 1,
        Service = "operator",
        State = row.Status.State,
        Summary = row.Status.Error.Length > 0
            ? $"The operator reports: {row.Status.Error}"
            : $"The operator reports {row.Status.UpdatedReplicas} of {row.Replicas} pods of {row.Spec.Version} ready, "
                + $"{row.Status.Replicas} pods in all.",
    };

    private static string? AtRest(ClusterInstallation row) => row switch
    {
        { State: Stable, Spec.Hibernated: true } => "It is hibernated, as wanted.",
        { State: Stable } => "It runs as wanted.",
        { State: Deleted } => "Nothing of it is left in the cluster.",
        _ => null,
    };

    private static IEnumerable<string> Advice(ClusterInstallation row)
    {
        if (row.LastErrorFault == ServiceDefaults.Supervision.Fault.Operator)
            yield return "An operator of this cloud has to act: " + row.LastErrorCode;
        if (row.State is CreationFailed)
            yield return "Remove the cause, then RetryClusterInstallation; DeleteClusterInstallation removes it.";
        if (row.State is DeletionFailed) yield return "Remove the cause, then RetryClusterInstallation.";
    }
}
