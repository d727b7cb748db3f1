using Cloud.Clusters;
using Cloud.Watching;

namespace Cloud.Providers;

/// <summary>What a cluster's refusal or silence means to whoever reads it in the row: code, words, whose
/// fault.</summary>
public static class ClusterFailures
{
    public const string Unreachable = "CLUSTER_UNREACHABLE";
    public const string Unauthorized = "CLUSTER_UNAUTHORIZED";
    public const string Forbidden = "CLUSTER_FORBIDDEN";
    public const string Refused = "CLUSTER_REFUSED_OBJECT";
    public const string Busy = "CLUSTER_BUSY";
    public const string Conflict = "CLUSTER_CONFLICT";
    public const string NotFound = "CLUSTER_LACKS_OBJECT";

    /// <summary>
    /// For steps on what lives in a cluster: only an object that is refused is hopeless, because credentials can be
    /// renewed while the step waits.
    /// </summary>
    public static StepException Of(KubernetesApiException e, Cluster cluster) => e.Kind switch
    {
        KubernetesErrorKind.Unreachable => World(Unreachable, cluster, "does not answer", e),
        KubernetesErrorKind.Unauthorized => Operator(
            Unauthorized, cluster, "does not accept our credentials; give new ones with UpdateCluster", e, true),
        KubernetesErrorKind.Forbidden => Operator(
            Forbidden, cluster, "does not allow it; our account needs the cluster-admin role", e, true),
        KubernetesErrorKind.Invalid or KubernetesErrorKind.BadRequest => Operator(
            Refused, cluster, "refuses an object", e, false),
        KubernetesErrorKind.NotFound => Operator(
            NotFound, cluster, "lacks something; provision it again if that lasts", e, true),
        KubernetesErrorKind.Conflict or KubernetesErrorKind.AlreadyExists =>
            World(Conflict, cluster, "was changed by somebody else at the same time", e),
        KubernetesErrorKind.TooManyRequests or KubernetesErrorKind.ServerFault or KubernetesErrorKind.Gone =>
            World(Busy, cluster, "is overloaded or failing", e),
    };

    /// <summary>For taking a cluster over: being turned away does not pass by itself.</summary>
    public static StepException OfImport(KubernetesApiException e, Cluster cluster)
    {
        var failure = Of(e, cluster);
        return e.Kind is KubernetesErrorKind.Unauthorized or KubernetesErrorKind.Forbidden
            ? new StepException(failure.Code, failure.Message, failure.Fault, retryable: false, e)
            : failure;
    }

    private static StepException World(string code, Cluster cluster, string what, KubernetesApiException e) =>
        new(code, Words(cluster, what, e), Fault.World, retryable: true, e) { RetryAfter = e.RetryAfter };

    private static StepException Operator(
        string code, Cluster cluster, string what, KubernetesApiException e, bool retryable) =>
        new(code, Words(cluster, what, e), Fault.Operator, retryable, e) { RetryAfter = e.RetryAfter };

    private static string Words(Cluster cluster, string what, KubernetesApiException e) =>
        $"{cluster.DisplayName} ({cluster.Server}) {what}: {e.Message}";
}
