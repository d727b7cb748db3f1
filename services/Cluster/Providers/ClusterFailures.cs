using Cloud.Clusters;
using Cloud.Watching;

namespace Cloud.Providers;

/// <summary>What a cluster's refusal or silence means to whoever reads it in the row: code, words, whose
/// fault.</summary>
public static class ClusterFailures
{
    /// <summary>
    /// For steps on what lives in a cluster: only an object that is refused is hopeless, because credentials can be
    /// renewed while the step waits.
    /// </summary>
    public static StepException Of(KubernetesApiException e, Cluster cluster)
    {
        var (reason, what) = e.Kind switch
        {
            KubernetesErrorKind.Unreachable => (ErrorReason.ClusterUnreachable, "does not answer"),
            KubernetesErrorKind.Unauthorized => (
                ErrorReason.ClusterUnauthorized, "does not accept our credentials; give new ones with UpdateCluster"),
            KubernetesErrorKind.Forbidden => (
                ErrorReason.ClusterForbidden, "does not allow it; our account needs the cluster-admin role"),
            KubernetesErrorKind.Invalid or KubernetesErrorKind.BadRequest => (
                ErrorReason.ClusterRefusedObject, "refuses an object"),
            KubernetesErrorKind.NotFound => (
                ErrorReason.ClusterLacksObject, "lacks something; provision it again if that lasts"),
            KubernetesErrorKind.Conflict or KubernetesErrorKind.AlreadyExists => (
                ErrorReason.ClusterConflict, "was changed by somebody else at the same time"),
            KubernetesErrorKind.TooManyRequests or KubernetesErrorKind.ServerFault or KubernetesErrorKind.Gone => (
                ErrorReason.ClusterBusy, "is overloaded or failing"),
        };
        return new StepException(reason, $"{cluster.DisplayName} ({cluster.Server}) {what}: {e.Message}", e)
        {
            RetryAfter = e.RetryAfter,
            TargetFailed = reason is ErrorReason.ClusterUnreachable or ErrorReason.ClusterBusy,
        };
    }

    /// <summary>For taking a cluster over: being turned away does not pass by itself.</summary>
    public static StepException OfImport(KubernetesApiException e, Cluster cluster) =>
        e.Kind is KubernetesErrorKind.Unauthorized or KubernetesErrorKind.Forbidden
            ? Of(e, cluster).AsFinal()
            : Of(e, cluster);
}
