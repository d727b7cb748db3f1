using k8s.Models;

namespace Cloud.Watching;

/// <summary>
/// The built-in kinds that the product reads or writes. Custom kinds are declared beside their classes.
/// </summary>
public static class ResourceKinds
{
    public static readonly ResourceKind<V1Namespace> Namespaces = new("", "v1", "namespaces", "Namespace", false);
    public static readonly ResourceKind<V1Node> Nodes = new("", "v1", "nodes", "Node", false);
    public static readonly ResourceKind<V1Pod> Pods = new("", "v1", "pods", "Pod");
    public static readonly ResourceKind<V1Secret> Secrets = new("", "v1", "secrets", "Secret");
    public static readonly ResourceKind<V1ConfigMap> ConfigMaps = new("", "v1", "configmaps", "ConfigMap");
    public static readonly ResourceKind<V1Service> Services = new("", "v1", "services", "Service");
    public static readonly ResourceKind<V1ServiceAccount> ServiceAccounts =
        new("", "v1", "serviceaccounts", "ServiceAccount");
    public static readonly ResourceKind<V1PersistentVolumeClaim> PersistentVolumeClaims =
        new("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim");
    public static readonly ResourceKind<V1Deployment> Deployments = new("apps", "v1", "deployments", "Deployment");
    public static readonly ResourceKind<V1ReplicaSet> ReplicaSets = new("apps", "v1", "replicasets", "ReplicaSet");
    public static readonly ResourceKind<V1Job> Jobs = new("batch", "v1", "jobs", "Job");
    public static readonly ResourceKind<V1Ingress> Ingresses = new("networking.k8s.io", "v1", "ingresses", "Ingress");
    public static readonly ResourceKind<V1IngressClass> IngressClasses =
        new("networking.k8s.io", "v1", "ingressclasses", "IngressClass", false);
    public static readonly ResourceKind<V1NetworkPolicy> NetworkPolicies =
        new("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy");
    public static readonly ResourceKind<V1Role> Roles = new("rbac.authorization.k8s.io", "v1", "roles", "Role");
    public static readonly ResourceKind<V1RoleBinding> RoleBindings =
        new("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding");
    public static readonly ResourceKind<V1ClusterRole> ClusterRoles =
        new("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", false);
    public static readonly ResourceKind<V1ClusterRoleBinding> ClusterRoleBindings =
        new("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", false);
    public static readonly ResourceKind<V1PodDisruptionBudget> PodDisruptionBudgets =
        new("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget");
    public static readonly ResourceKind<V1Lease> Leases = new("coordination.k8s.io", "v1", "leases", "Lease");
    public static readonly ResourceKind<Eventsv1Event> Events = new("events.k8s.io", "v1", "events", "Event");
    public static readonly ResourceKind<V1CustomResourceDefinition> CustomResourceDefinitions =
        new("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", false);
}
