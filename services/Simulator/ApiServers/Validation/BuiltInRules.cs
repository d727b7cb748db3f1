using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.ResourceTypes;

namespace Cloud.Simulator.ApiServers.Validation;

/// <summary>What built-in kinds demand beyond types: required fields, ranges, and what may never change.</summary>
public static class BuiltInRules
{
    /// <summary>Everything wrong with an object; with how it changed when there was one before.</summary>
    public static IEnumerable<FieldError> Check(ResourceType type, JsonObject obj, JsonObject? before) =>
        type.Resource switch
    {
        "pods" => PodRules.Check(obj, before),
        "deployments.apps" => WorkloadRules.Deployment(obj, before),
        "replicasets.apps" => WorkloadRules.ReplicaSet(obj, before),
        "statefulsets.apps" => WorkloadRules.StatefulSet(obj, before),
        "daemonsets.apps" => WorkloadRules.DaemonSet(obj, before),
        "jobs.batch" => WorkloadRules.Job(obj, before),
        "cronjobs.batch" => WorkloadRules.CronJob(obj),
        "services" => NetworkRules.Service(obj, before),
        "ingresses.networking.k8s.io" => NetworkRules.Ingress(obj),
        "secrets" => ContentRules.Secret(obj, before),
        "configmaps" => ContentRules.ConfigMap(obj, before),
        "persistentvolumeclaims" => ContentRules.VolumeClaim(obj, before),
        "rolebindings.rbac.authorization.k8s.io" or "clusterrolebindings.rbac.authorization.k8s.io" =>
            ContentRules.RoleBinding(obj, before),
        "roles.rbac.authorization.k8s.io" or "clusterroles.rbac.authorization.k8s.io" => ContentRules.Role(obj),
        "poddisruptionbudgets.policy" => ContentRules.DisruptionBudget(obj),
        "storageclasses.storage.k8s.io" => ContentRules.StorageClass(obj, before),
        "leases.coordination.k8s.io" => ContentRules.Lease(obj),
        "customresourcedefinitions.apiextensions.k8s.io" => DefinitionRules.Check(obj, before),
        _ => [],
    };
}
