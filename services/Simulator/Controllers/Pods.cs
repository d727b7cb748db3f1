using System.Text.Json.Nodes;

namespace Cloud.Simulator.Controllers;

/// <summary>What controllers ask of a pod, and how they make one.</summary>
internal static class Pods
{
    /// <summary>How soon a controller tries again after the API refused a pod.</summary>
    public static readonly TimeSpan CreateRetry = TimeSpan.FromSeconds(1);

    public static string Phase(JsonObject pod) => pod.Text("status", "phase") ?? "Pending";

    public static bool IsFinished(JsonObject pod) => Phase(pod) is "Succeeded" or "Failed";

    /// <summary>Neither finished nor being deleted: it counts towards what its owner wants.</summary>
    public static bool IsActive(JsonObject pod) => !IsFinished(pod) && !pod.IsDeleting();

    public static bool IsReady(JsonObject pod) => Conditions.IsTrue(pod["status"], "Ready");

    /// <summary>Since when the pod is ready; null when it is not.</summary>
    public static DateTimeOffset? ReadySince(JsonObject pod) =>
        Conditions.Find(pod["status"], "Ready") is { } ready && ready.Text("status") == "True"
            ? ready.Time("lastTransitionTime")
            : null;

    /// <summary>
    /// The lower, the sooner a pod goes when there are too many: without node, pending, not ready, ready.
    /// </summary>
    public static int DeletionRank(JsonObject pod)
    {
        if (pod.Text("spec", "nodeName") is null) return 0;
        if (Phase(pod) == "Pending") return 1;
        return IsReady(pod) ? 3 : 2;
    }

    /// <summary>A pod as the template of its owner describes it.</summary>
    public static JsonObject FromTemplate(JsonObject owner, string name)
    {
        var template = owner.At("spec", "template");
        var metadata = new JsonObject { ["name"] = name, ["namespace"] = owner.Namespace() };
        var dash = name.LastIndexOf('-');
        if (dash > 0) metadata["generateName"] = name[..(dash + 1)];
        foreach (var part in new[] { "labels", "annotations", "finalizers" })
        {
            if (template.At("metadata", part) is { } value) metadata[part] = value.DeepClone();
        }
        metadata["ownerReferences"] = Owners.ControlledBy(owner);
        return new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Pod",
            ["metadata"] = metadata,
            ["spec"] = template.At("spec")?.DeepClone() ?? new JsonObject(),
        };
    }
}
