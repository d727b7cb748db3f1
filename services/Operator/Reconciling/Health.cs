using Cloud.Operator.Manifests;
using Cloud.Operator.Mattermosts;
using k8s.Models;

namespace Cloud.Operator.Reconciling;

/// <summary>What the cluster shows of one resource.</summary>
/// <param name="ReplicaSets">All of the resource, old ones and those of the job server included.</param>
public sealed record Observation(
    V1Deployment? Deployment, V1Deployment? JobServer, IReadOnlyList<V1ReplicaSet> ReplicaSets, V1Service? Service,
    V1Ingress? Ingress);

/// <summary>The verdict on an observation.</summary>
/// <param name="Status">The part of the status that comes from it.</param>
/// <param name="Waits">Why it is not stable; null when it is.</param>
public sealed record Verdict(MattermostStatus Status, string? Waits);

/// <summary>
/// Judges how far a resource is. Pure. It never calls a generation stable before its rollout was noticed: the
/// Deployment must have observed its own newest generation, and only the ReplicaSet of the newest revision counts.
/// </summary>
public static class Health
{
    private const string RevisionAnnotation = "deployment.kubernetes.io/revision";
    private const string NoEndpoint = "not available";

    public static Verdict Judge(Mattermost mattermost, Observation seen)
    {
        var spec = mattermost.Spec;
        var status = new MattermostStatus
        {
            State = MattermostState.Reconciling,
            Replicas = seen.Deployment?.Status?.Replicas ?? 0,
            UpdatedReplicas = 0,
        };
        if (seen.Deployment is null || !IsObserved(seen.Deployment))
        {
            return new Verdict(status, "the Deployment has not been picked up yet");
        }

        if (Newest(seen.Deployment, seen.ReplicaSets) is not { } newest)
        {
            return new Verdict(status, "the newest ReplicaSet is not there yet");
        }

        var updated = newest.Status.AvailableReplicas ?? 0;
        var wanted = spec.Replicas ?? 1;
        status = status with { UpdatedReplicas = updated };
        if (wanted > 0 && updated == 0)
        {
            return new Verdict(status, "no new replica is available yet");
        }

        status = status with { Version = spec.Version, Image = spec.Image };
        if (Endpoint(spec, seen) is not { } endpoint)
        {
            return new Verdict(status, "there is no endpoint yet");
        }

        status = status with { Endpoint = endpoint, State = wanted > 0 ? MattermostState.Ready : status.State };
        if (updated != wanted || status.Replicas != wanted)
        {
            return new Verdict(status, $"{updated} new and {status.Replicas} replicas in all, of {wanted} wanted");
        }

        return JobServers.IsWanted(spec) && !IsOneReady(seen.JobServer, seen.ReplicaSets)
            ? new Verdict(status, "the job server is not ready")
            : new Verdict(status with { State = MattermostState.Stable }, null);
    }

    private static bool IsObserved(V1Deployment deployment) =>
        deployment.Status?.ObservedGeneration >= deployment.Metadata.Generation;

    private static V1ReplicaSet? Newest(V1Deployment deployment, IReadOnlyList<V1ReplicaSet> replicaSets)
    {
        var revision = Revision(deployment.Metadata);
        return revision is null ? null : replicaSets.FirstOrDefault(r =>
            Revision(r.Metadata) == revision && r.Status?.ObservedGeneration > 0
            && r.Metadata.OwnerReferences?.Any(o => o.Uid == deployment.Metadata.Uid) == true);
    }

    private static string? Revision(V1ObjectMeta metadata) =>
        metadata.Annotations is { } annotations && annotations.TryGetValue(RevisionAnnotation, out var revision)
            ? revision : null;

    /// <summary>Null while a load balancer has no address, or the Ingress is not there.</summary>
    private static string? Endpoint(MattermostSpec spec, Observation seen)
    {
        if (spec.UseServiceLoadBalancer == true && !Ingresses.UsesAlb(spec))
        {
            var address = seen.Service?.Status?.LoadBalancer?.Ingress?.FirstOrDefault();
            return string.IsNullOrEmpty(address?.Hostname) ? address?.Ip : address.Hostname;
        }

        return Ingresses.IsWanted(spec) ? seen.Ingress?.Spec?.Rules?.FirstOrDefault()?.Host : NoEndpoint;
    }

    private static bool IsOneReady(V1Deployment? server, IReadOnlyList<V1ReplicaSet> replicaSets) =>
        server is not null && IsObserved(server) && server.Status.Replicas == 1
        && Newest(server, replicaSets)?.Status.AvailableReplicas == 1;
}
