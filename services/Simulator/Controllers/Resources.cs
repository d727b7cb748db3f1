namespace Cloud.Simulator.Controllers;

/// <summary>A kind of objects: how it is watched and how owner references name it.</summary>
internal sealed record ResourceKind(string Resource, string Group, string Kind, bool Namespaced);

/// <summary>
/// The built-in kinds that controllers know. Custom ones come from CustomResourceDefinitions at run time.
/// </summary>
internal static class Resources
{
    public const string Namespaces = "namespaces";
    public const string Nodes = "nodes";
    public const string Pods = "pods";
    public const string Services = "services";
    public const string Endpoints = "endpoints";
    public const string EndpointSlices = "endpointslices.discovery.k8s.io";
    public const string Secrets = "secrets";
    public const string ConfigMaps = "configmaps";
    public const string ServiceAccounts = "serviceaccounts";
    public const string Events = "events";
    public const string Volumes = "persistentvolumes";
    public const string VolumeClaims = "persistentvolumeclaims";
    public const string StorageClasses = "storageclasses.storage.k8s.io";
    public const string Deployments = "deployments.apps";
    public const string ReplicaSets = "replicasets.apps";
    public const string Jobs = "jobs.batch";
    public const string Ingresses = "ingresses.networking.k8s.io";
    public const string Leases = "leases.coordination.k8s.io";
    public const string DisruptionBudgets = "poddisruptionbudgets.policy";
    public const string Definitions = "customresourcedefinitions.apiextensions.k8s.io";

    /// <summary>Every built-in kind whose objects may own, be owned, or live in a namespace.</summary>
    public static readonly IReadOnlyList<ResourceKind> BuiltIn =
    [
        new(Namespaces, "", "Namespace", false),
        new(Nodes, "", "Node", false),
        new(Volumes, "", "PersistentVolume", false),
        new(Pods, "", "Pod", true),
        new(Services, "", "Service", true),
        new(Endpoints, "", "Endpoints", true),
        new(Secrets, "", "Secret", true),
        new(ConfigMaps, "", "ConfigMap", true),
        new(ServiceAccounts, "", "ServiceAccount", true),
        new(VolumeClaims, "", "PersistentVolumeClaim", true),
        new(Events, "", "Event", true),
        new("limitranges", "", "LimitRange", true),
        new("resourcequotas", "", "ResourceQuota", true),
        new(Deployments, "apps", "Deployment", true),
        new(ReplicaSets, "apps", "ReplicaSet", true),
        new("statefulsets.apps", "apps", "StatefulSet", true),
        new("daemonsets.apps", "apps", "DaemonSet", true),
        new("controllerrevisions.apps", "apps", "ControllerRevision", true),
        new(Jobs, "batch", "Job", true),
        new("cronjobs.batch", "batch", "CronJob", true),
        new(Ingresses, "networking.k8s.io", "Ingress", true),
        new("ingressclasses.networking.k8s.io", "networking.k8s.io", "IngressClass", false),
        new("networkpolicies.networking.k8s.io", "networking.k8s.io", "NetworkPolicy", true),
        new(EndpointSlices, "discovery.k8s.io", "EndpointSlice", true),
        new(DisruptionBudgets, "policy", "PodDisruptionBudget", true),
        new("roles.rbac.authorization.k8s.io", "rbac.authorization.k8s.io", "Role", true),
        new("rolebindings.rbac.authorization.k8s.io", "rbac.authorization.k8s.io", "RoleBinding", true),
        new("clusterroles.rbac.authorization.k8s.io", "rbac.authorization.k8s.io", "ClusterRole", false),
        new("clusterrolebindings.rbac.authorization.k8s.io", "rbac.authorization.k8s.io", "ClusterRoleBinding", false),
        new(StorageClasses, "storage.k8s.io", "StorageClass", false),
        new("horizontalpodautoscalers.autoscaling", "autoscaling", "HorizontalPodAutoscaler", true),
        new(Leases, "coordination.k8s.io", "Lease", true),
        new("priorityclasses.scheduling.k8s.io", "scheduling.k8s.io", "PriorityClass", false),
        new(Definitions, "apiextensions.k8s.io", "CustomResourceDefinition", false),
    ];
}
