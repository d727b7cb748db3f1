using Cloud.Protos.Supervision.V1;
using Cloud.Providers;
using Cloud.ServiceDefaults.Hosting;
using static Cloud.Clusters.ClusterState;
using Fault = Cloud.ServiceDefaults.Supervision.Fault;

namespace Cloud.Clusters;

/// <summary>Why a cluster is where it is, followed to the operator's pods where those are awaited.</summary>
public sealed class ClusterWhy(ClusterStore clusters, PodTroubles troubles)
{
    /// <summary>Name of this service in explanations.</summary>
    public const string ServiceName = "cluster";

    /// <summary>From the cluster down to what is really awaited.</summary>
    public async Task<IReadOnlyList<Explanation>> ExplainAsync(Cluster row, CancellationToken ct)
    {
        var seen = await clusters.ObservationAsync(row.Id, ct);
        var chain = new List<Explanation>
        {
            SupervisionMessages.Explain(row, ServiceName, row.Name, AtRest(row), Advice(row, seen)),
        };
        if (!seen.Reachable && row.State != Deleted)
            chain[0].Summary += $" It is not reachable now: {seen.UnreachableReason}.";
        if (row.State is ProvisionInProgress or ProvisioningFailed && seen.Reachable)
            foreach (var trouble in await troubles.FindAsync(row, OperatorManifests.Name, ct) ?? [])
                chain.Add(OfPod(row.Name, OperatorManifests.Name, trouble, depth: 1));
        return chain;
    }

    /// <summary>A link about a pod.</summary>
    internal static Explanation OfPod(string cluster, string ns, PodTrouble trouble, int depth) => new()
    {
        Depth = depth,
        Resource = $"{cluster}/namespaces/{ns}/pods/{trouble.Pod}",
        Service = ServiceName,
        State = trouble.Reason,
        Summary = $"Pod {trouble.Pod} does not run ({trouble.Reason}): {trouble.Message}",
        Advice = { PodAdvice(trouble.Reason) },
    };

    private static IEnumerable<string> PodAdvice(string reason)
    {
        if (reason == "Unschedulable") yield return "Add nodes to the cluster, or remove what fills it.";
        if (reason is "ErrImagePull" or "ImagePullBackOff") yield return "Choose an image and version that exist.";
        if (reason is "CreateContainerConfigError")
            yield return "See that the Secrets and ConfigMaps that its environment names exist.";
    }

    private static string? AtRest(Cluster row) => row.State switch
    {
        Stable => "It is ready for installations.",
        Deleted when row.LeftBehind.Length > 0 =>
            $"It was forgotten while it did not answer. Left behind in it: {string.Join(", ", row.LeftBehind)}.",
        Deleted => "It was let go.",
        _ => null,
    };

    private static IEnumerable<string> Advice(Cluster row, Observation seen)
    {
        var failure = ErrorReasons.Of(row.LastErrorCode);
        if (failure is ErrorReason.ClusterUnauthorized or ErrorReason.KubeconfigUnreadable)
            yield return "UpdateCluster with a kubeconfig whose credentials are good.";
        else if (failure is ErrorReason.ClusterForbidden)
            yield return "Give the account of the kubeconfig the cluster-admin role, then ProvisionCluster.";
        else if (row.State != Deleted && (!seen.Reachable || failure is ErrorReason.ClusterUnreachable))
            yield return $"See whether {row.Server} answers from where this service runs.";
        else if (row.LastErrorFault == Fault.Operator)
            yield return "An operator of this cloud has to act: " + row.LastErrorCode;
        if (row.State is CreationFailed or ProvisioningFailed)
            yield return "Remove the cause, then RetryCluster; DeleteCluster lets it go.";
        if (row.State is DeletionFailed) yield return "Remove the cause, then RetryCluster.";
        if (row.State is DeletionRequested or DeletionFailed && !seen.Reachable)
            yield return "If it will never answer again, DeleteCluster with force forgets it.";
        if (row is { State: Stable, AllowInstallations: false })
            yield return "It is closed to new installations; UpdateCluster opens it.";
    }
}
