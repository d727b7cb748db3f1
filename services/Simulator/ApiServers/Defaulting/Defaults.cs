using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.ResourceTypes;

namespace Cloud.Simulator.ApiServers.Defaulting;

/// <summary>Fills in what a built-in kind says when its author left it out.</summary>
public static class Defaults
{
    /// <summary>Fills in an object in place. Its name and uid are set before.</summary>
    public static void Apply(ResourceType type, JsonObject obj)
    {
        switch (type.Resource)
        {
            case "namespaces":
                obj.Metadata().Ensure("labels")["kubernetes.io/metadata.name"] = obj.NameOf();
                break;
            case "pods":
                PodDefaults.Apply(obj.Ensure("spec"));
                ServiceAccountDefaults(obj.Ensure("spec"));
                break;
            case "services":
                Service(obj.Ensure("spec"));
                break;
            case "secrets":
                Secret(obj);
                break;
            case "persistentvolumeclaims":
                obj.Ensure("spec").Default("volumeMode", "Filesystem");
                break;
            case "persistentvolumes":
                obj.Ensure("spec").Default("volumeMode", "Filesystem");
                obj.Ensure("spec").Default("persistentVolumeReclaimPolicy", "Retain");
                break;
            case "events":
            case "events.events.k8s.io":
                break;
            default:
                Workloads(type, obj);
                break;
        }
    }

    private static void Workloads(ResourceType type, JsonObject obj)
    {
        switch (type.Resource)
        {
            case "deployments.apps":
                WorkloadDefaults.Deployment(obj.Ensure("spec"));
                break;
            case "replicasets.apps":
                WorkloadDefaults.ReplicaSet(obj.Ensure("spec"));
                break;
            case "statefulsets.apps":
                WorkloadDefaults.StatefulSet(obj.Ensure("spec"));
                break;
            case "daemonsets.apps":
                WorkloadDefaults.DaemonSet(obj.Ensure("spec"));
                break;
            case "jobs.batch":
                WorkloadDefaults.Job(obj);
                break;
            case "cronjobs.batch":
                WorkloadDefaults.CronJob(obj.Ensure("spec"));
                break;
            default:
                Policies(type, obj);
                break;
        }
    }

    private static void Policies(ResourceType type, JsonObject obj)
    {
        switch (type.Resource)
        {
            case "networkpolicies.networking.k8s.io":
                NetworkPolicy(obj.Ensure("spec"));
                break;
            case "rolebindings.rbac.authorization.k8s.io":
            case "clusterrolebindings.rbac.authorization.k8s.io":
                RoleBinding(obj);
                break;
            case "storageclasses.storage.k8s.io":
                obj.Default("reclaimPolicy", "Delete");
                obj.Default("volumeBindingMode", "Immediate");
                break;
            case "horizontalpodautoscalers.autoscaling":
                obj.Ensure("spec").Default("minReplicas", 1);
                break;
            case "priorityclasses.scheduling.k8s.io":
                obj.Default("preemptionPolicy", "PreemptLowerPriority");
                break;
            case "customresourcedefinitions.apiextensions.k8s.io":
                Definition(obj.Ensure("spec"));
                break;
        }
    }

    private static void ServiceAccountDefaults(JsonObject spec)
    {
        spec.Default("serviceAccountName", spec["serviceAccount"]?.DeepClone() ?? "default");
        spec["serviceAccount"] = spec["serviceAccountName"]!.DeepClone();
    }

    private static void Secret(JsonObject secret)
    {
        secret.Default("type", "Opaque");
        if (secret.Take("stringData") is not JsonObject plain) return;
        var data = secret.Ensure("data");
        foreach (var (key, value) in plain)
            data[key] = Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(value?.GetValue<string>() ?? ""));
    }

    private static void Service(JsonObject spec)
    {
        spec.Default("type", "ClusterIP");
        spec.Default("sessionAffinity", "None");
        if (spec.Text("sessionAffinity") == "ClientIP")
            spec.Ensure("sessionAffinityConfig").Ensure("clientIP").Default("timeoutSeconds", 10800);
        foreach (var port in (spec.ListAt("ports") ?? []).OfType<JsonObject>())
        {
            port.Default("protocol", "TCP");
            if (spec.Text("clusterIP") != "None" || port["targetPort"] is null)
                port.Default("targetPort", port["port"]?.DeepClone());
        }
        if (spec.Text("type") == "ExternalName") return;
        spec.Default("internalTrafficPolicy", "Cluster");
        spec.Default("ipFamilies", new JsonArray("IPv4"));
        spec.Default("ipFamilyPolicy", "SingleStack");
        if (spec.Text("type") is "NodePort" or "LoadBalancer") spec.Default("externalTrafficPolicy", "Cluster");
        if (spec.Text("type") == "LoadBalancer") spec.Default("allocateLoadBalancerNodePorts", true);
    }

    private static void NetworkPolicy(JsonObject spec)
    {
        spec.Default("podSelector", new JsonObject());
        if (spec["policyTypes"] is null)
        {
            spec["policyTypes"] = spec["egress"] is null ? new JsonArray("Ingress")
                : new JsonArray("Ingress", "Egress");
        }
        foreach (var rule in (spec.ListAt("ingress") ?? []).Concat(spec.ListAt("egress") ?? []))
        {
            foreach (var port in (rule.ListAt("ports") ?? []).OfType<JsonObject>()) port.Default("protocol", "TCP");
        }
    }

    private static void RoleBinding(JsonObject binding)
    {
        binding.Ensure("roleRef").Default("apiGroup", "rbac.authorization.k8s.io");
        foreach (var subject in (binding.ListAt("subjects") ?? []).OfType<JsonObject>())
        {
            if (subject.Text("kind") is "User" or "Group") subject.Default("apiGroup", "rbac.authorization.k8s.io");
        }
    }

    private static void Definition(JsonObject spec)
    {
        var names = spec.Ensure("names");
        names.Default("singular", names.Text("kind")?.ToLowerInvariant());
        names.Default("listKind", names.Text("kind") + "List");
        spec.Ensure("conversion").Default("strategy", "None");
    }
}
