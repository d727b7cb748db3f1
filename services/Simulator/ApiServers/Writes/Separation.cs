using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Defaulting;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.ResourceTypes;

namespace Cloud.Simulator.ApiServers.Writes;

/// <summary>Which parts of an object a request may touch: everything but the status, or the status alone.</summary>
internal static class Separation
{
    /// <summary>The status that a new object begins with, whatever its author wrote.</summary>
    public static void OnCreate(ResourceType type, JsonObject obj)
    {
        if (type.HasStatus) obj.Remove("status");
        switch (type.Resource)
        {
            case "namespaces":
                obj["status"] = new JsonObject { ["phase"] = "Active" };
                obj.Ensure("spec")["finalizers"] = new JsonArray("kubernetes");
                break;
            case "pods":
                obj["status"] = new JsonObject
                {
                    ["phase"] = "Pending", ["qosClass"] = PodDefaults.QualityOfService(obj.Ensure("spec")),
                };
                PodDefaults.Admit(obj.Ensure("spec"));
                break;
            case "persistentvolumeclaims":
            case "persistentvolumes":
                obj["status"] = new JsonObject { ["phase"] = "Pending" };
                break;
            case "services":
                obj["status"] = new JsonObject { ["loadBalancer"] = new JsonObject() };
                break;
            case "ingresses.networking.k8s.io":
                obj["status"] = new JsonObject { ["loadBalancer"] = new JsonObject() };
                break;
            case "deployments.apps" or "jobs.batch" or "daemonsets.apps":
                obj["status"] = new JsonObject();
                break;
            case "replicasets.apps" or "statefulsets.apps":
                obj["status"] = new JsonObject { ["replicas"] = 0 };
                break;
        }
    }

    /// <summary>What an update of the object itself leaves alone.</summary>
    public static void OnUpdate(ResourceType type, JsonObject current, JsonObject next)
    {
        if (type.HasStatus) next.CopyFrom(current, "status");
        if (type.Resource == "namespaces") next.Ensure("spec").CopyFrom(current.ObjectAt("spec"), "finalizers");
    }

    /// <summary>
    /// What an update of the status makes of the object: all else stays (built-in kinds take labels, too).
    /// </summary>
    public static JsonObject StatusOnly(ResourceType type, JsonObject current, JsonObject next)
    {
        var result = (JsonObject)current.DeepClone();
        result.CopyFrom(next, "status");
        if (type.Custom is not null) return result;
        foreach (var field in new[] { "labels", "annotations", "finalizers" })
            result.Metadata().CopyFrom(next.ObjectAt("metadata"), field);
        return result;
    }
}
