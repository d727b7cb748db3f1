using Cloud.Placement;
using Cloud.Providers;
using Cloud.Watching;
using k8s.Models;
using static Cloud.Clusters.ClusterState;
using static Cloud.ServiceDefaults.Supervision.Outcome;

namespace Cloud.Clusters;

/// <summary>Which operator is installed; section <c>Operator</c> of the configuration.</summary>
public sealed record OperatorOptions
{
    /// <summary>Its image with tag.</summary>
    public string Image { get; init; } = "cloud/operator:dev";
}

/// <summary>
/// provision-in-progress -> stable: resource definition, namespace, account, rights and Deployment of the operator are
/// applied, and the operator is seen to run. What is as wanted already is not written again; what is written is fenced
/// (<see cref="FencedWrites"/>).
/// <para>A resource definition that somebody else installed is left as it is when it serves our version: it may hold
/// fields that ours does not name, and resources that use them. A namespace of that name is used as it is. Another
/// operator's Deployment of the same name is replaced as a whole: merged with ours it would keep its command,
/// and its selector cannot be changed.</para>
/// </summary>
public sealed class Provisioning(
    ClusterConnections connections, ClusterStore clusters, OperatorOptions options, TimeProvider time)
{
    /// <summary>How long to wait for pods without hearing of them; each change of the Deployment nudges.</summary>
    private static readonly TimeSpan PodsWait = TimeSpan.FromSeconds(10);

    /// <summary>provision-in-progress: apply, then look whether it runs.</summary>
    public async Task<ClusterOutcome> InstallAsync(Cluster row, CancellationToken ct)
    {
        var api = connections.To(row);
        try
        {
            var (definition, deployment) = await EnsureAsync(
                api, FencedWrites.Of(row, api, clusters, time), options.Image, ct);
            if (!IsEstablished(definition))
                return Wait("the cluster has not taken the Mattermost resource definition in yet", PodsWait);
            if (Lacking(deployment) is { } lacking) return Wait(lacking, PodsWait);
        }
        catch (KubernetesApiException e) when (e.IsNamespaceTerminating)
        {
            return Wait("an earlier operator's namespace is being removed; it is made anew after that", PodsWait);
        }
        catch (KubernetesApiException e)
        {
            throw ClusterFailures.OfImport(e, row);
        }
        var ready = row with
        {
            OperatorImage = options.Image, ProvisionTime = row.ProvisionTime ?? time.GetUtcNow(),
        };
        // Its room was seen before it could be used, so nothing else tells those who wait for room.
        return Go(Stable, "the operator runs in it", ready, PlacementStore.TellWaitingAsync);
    }

    /// <summary>Answers definition and Deployment as they are now.</summary>
    private static async Task<(V1CustomResourceDefinition Definition, V1Deployment Deployment)> EnsureAsync(
        KubernetesApi api, FencedWrites writes, string image, CancellationToken ct)
    {
        var definition = await EnsureDefinitionAsync(api, writes, ct);
        await EnsureNamespaceAsync(api, writes, ct);
        await writes.EnsureAsync(ResourceKinds.ServiceAccounts, OperatorManifests.ServiceAccount(), ct);
        await writes.EnsureAsync(ResourceKinds.ClusterRoles, OperatorManifests.ClusterRole(), ct);
        await writes.EnsureAsync(ResourceKinds.ClusterRoleBindings, OperatorManifests.ClusterRoleBinding(), ct);
        return (definition, await EnsureDeploymentAsync(api, writes, image, ct));
    }

    private static async Task<V1CustomResourceDefinition> EnsureDefinitionAsync(
        KubernetesApi api, FencedWrites writes, CancellationToken ct)
    {
        var (kind, desired) = (ResourceKinds.CustomResourceDefinitions, OperatorManifests.Definition);
        var live = await api.Find(kind, ObjectKey.Of(desired), ct);
        return live is not null && !OperatorManifests.IsOurs(live) && ServesOurVersion(live)
            ? live
            : await writes.EnsureAsync(kind, desired, live, ct);
    }

    /// <summary>A namespace that was there before us stays without our mark, so that letting the cluster go does not
    /// remove it with what else is in it.</summary>
    private static async Task EnsureNamespaceAsync(KubernetesApi api, FencedWrites writes, CancellationToken ct)
    {
        var (kind, desired) = (ResourceKinds.Namespaces, OperatorManifests.Namespace());
        var live = await api.Find(kind, ObjectKey.Of(desired), ct);
        if (live is null || OperatorManifests.IsOurs(live)) await writes.EnsureAsync(kind, desired, live, ct);
    }

    private static async Task<V1Deployment> EnsureDeploymentAsync(
        KubernetesApi api, FencedWrites writes, string image, CancellationToken ct)
    {
        var (kind, desired) = (ResourceKinds.Deployments, OperatorManifests.Deployment(image));
        var live = await api.Find(kind, OperatorManifests.DeploymentKey, ct);
        if (live is not null && !OperatorManifests.IsOurs(live))
        {
            await writes.RemoveAsync(kind, live, ct);
            live = null;
        }
        return await writes.EnsureAsync(kind, desired, live, ct);
    }

    private static bool ServesOurVersion(V1CustomResourceDefinition definition) =>
        definition.Spec.Versions.Any(v => v.Served && v.Name == MattermostResource.Resource.Version);

    private static bool IsEstablished(V1CustomResourceDefinition definition) =>
        definition.Status?.Conditions?.Any(c => c is { Type: "Established", Status: "True" }) == true;

    /// <summary>What the operator's Deployment still lacks; null when it is available as it was applied last.</summary>
    private static string? Lacking(V1Deployment deployment)
    {
        if (deployment.Status?.ObservedGeneration != deployment.Metadata.Generation)
            return "the cluster has not taken the operator's Deployment in yet";
        var available = deployment.Status?.Conditions?.FirstOrDefault(c => c.Type == "Available");
        return available?.Status == "True" && deployment.Status?.UpdatedReplicas >= 1
            ? null
            : $"the operator's pod is starting ({available?.Message ?? "it is not reported yet"})";
    }
}
