using System.Collections.Frozen;

namespace Cloud.Simulator.ApiServers.Schemas;

/// <summary>
/// What the Kubernetes API documents about its lists beyond their types: which fields identify an element (the
/// <c>x-kubernetes-list-map-keys</c>, and the older <c>x-kubernetes-patch-merge-key</c> where it differs), and which
/// objects and maps are owned as a whole. Keyed by model type and field. Lists that are not named here are atomic.
/// </summary>
public static class ListMarks
{
    private sealed record Mark(ListKind Kind, string[] Keys, string? MergeKey, bool Merges = false);

    private static readonly Dictionary<string, string> ProtocolDefault = new() { ["protocol"] = "TCP" };

    private static readonly FrozenDictionary<string, Mark> Lists = new Dictionary<string, Mark>
    {
        ["V1ObjectMeta.finalizers"] = new(ListKind.Set, [], null, Merges: true),
        ["V1ObjectMeta.ownerReferences"] = Keyed("uid"),
        ["V1PodSpec.containers"] = Keyed("name"),
        ["V1PodSpec.initContainers"] = Keyed("name"),
        ["V1PodSpec.ephemeralContainers"] = Keyed("name"),
        ["V1PodSpec.volumes"] = Keyed("name"),
        ["V1PodSpec.imagePullSecrets"] = Keyed("name"),
        ["V1PodSpec.hostAliases"] = Keyed("ip"),
        ["V1PodSpec.schedulingGates"] = Keyed("name"),
        ["V1PodSpec.resourceClaims"] = Keyed("name"),
        ["V1PodSpec.topologySpreadConstraints"] =
            new(ListKind.Map, ["topologyKey", "whenUnsatisfiable"], "topologyKey"),
        ["V1PodStatus.conditions"] = Keyed("type"),
        ["V1PodStatus.podIPs"] = Keyed("ip"),
        ["V1PodStatus.hostIPs"] = new(ListKind.Atomic, [], "ip"),
        ["V1PodStatus.resourceClaimStatuses"] = Keyed("name"),
        ["V1Container.env"] = Keyed("name"),
        ["V1Container.ports"] = new(ListKind.Map, ["containerPort", "protocol"], "containerPort"),
        ["V1Container.volumeMounts"] = Keyed("mountPath"),
        ["V1Container.volumeDevices"] = Keyed("devicePath"),
        ["V1EphemeralContainer.env"] = Keyed("name"),
        ["V1EphemeralContainer.ports"] = new(ListKind.Map, ["containerPort", "protocol"], "containerPort"),
        ["V1EphemeralContainer.volumeMounts"] = Keyed("mountPath"),
        ["V1EphemeralContainer.volumeDevices"] = Keyed("devicePath"),
        ["V1ResourceRequirements.claims"] = Keyed("name"),
        ["V1ServiceSpec.ports"] = new(ListKind.Map, ["port", "protocol"], "port"),
        ["V1ServiceStatus.conditions"] = Keyed("type"),
        ["V1ServiceAccount.secrets"] = Keyed("name"),
        ["V1DeploymentStatus.conditions"] = Keyed("type"),
        ["V1ReplicaSetStatus.conditions"] = Keyed("type"),
        ["V1StatefulSetStatus.conditions"] = Keyed("type"),
        ["V1DaemonSetStatus.conditions"] = Keyed("type"),
        ["V1JobStatus.conditions"] = new(ListKind.Atomic, [], "type"),
        ["V1NamespaceStatus.conditions"] = Keyed("type"),
        ["V1NodeSpec.podCIDRs"] = new(ListKind.Set, [], null, Merges: true),
        ["V1NodeStatus.conditions"] = Keyed("type"),
        ["V1NodeStatus.addresses"] = Keyed("type"),
        ["V1PersistentVolumeClaimStatus.conditions"] = Keyed("type"),
        ["V1PodDisruptionBudgetStatus.conditions"] = Keyed("type"),
        ["V2HorizontalPodAutoscalerStatus.conditions"] = Keyed("type"),
        ["V1CustomResourceDefinitionStatus.conditions"] = Keyed("type"),
        ["V1ValidatingWebhookConfiguration.webhooks"] = Keyed("name"),
        ["V1MutatingWebhookConfiguration.webhooks"] = Keyed("name"),
        ["V1APIServiceStatus.conditions"] = Keyed("type"),
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private static readonly FrozenSet<string> Atomic = new[]
    {
        "V1LabelSelector", "V1ObjectReference", "V1LocalObjectReference", "V1TypedLocalObjectReference",
        "V1SecretKeySelector", "V1ConfigMapKeySelector", "V1ObjectFieldSelector", "V1ResourceFieldSelector",
        "V1NodeSelector", "V1NodeSelectorTerm", "V1TopologySelectorTerm", "V1OwnerReference", "V1RoleRef",
        "V1SecretReference", "V1ScopeSelector", "V1EndpointAddress", "Corev1EndpointPort", "Discoveryv1EndpointPort",
        "V1IngressServiceBackend.port", "Rbacv1Subject", "V1ServiceSpec.selector", "V1PodSpec.nodeSelector",
        "V1ReplicationControllerSpec.selector", "V1FileKeySelector", "V1Overhead",
    }.ToFrozenSet(StringComparer.Ordinal);

    /// <summary>True for a model type, or a map field, that is owned as a whole.</summary>
    public static bool IsAtomic(string typeOrField) => Atomic.Contains(typeOrField);

    /// <summary>The list schema of a field.</summary>
    public static Schema List(string field, Schema items)
    {
        if (!Lists.TryGetValue(field, out var mark)) return new Schema(SchemaKind.List) { Items = items };
        var schema = new Schema(SchemaKind.List)
        {
            Items = items,
            ListKind = mark.Kind,
            MapKeys = mark.Keys,
            PatchMergeKey = mark.MergeKey,
            PatchMerges = mark.Merges,
            KeyDefaults = mark.Keys.Contains("protocol") ? ProtocolDefault : [],
        };
        return schema;
    }

    private static Mark Keyed(string key) => new(ListKind.Map, [key], key);
}
