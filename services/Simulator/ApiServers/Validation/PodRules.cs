using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;
using k8s.Models;

namespace Cloud.Simulator.ApiServers.Validation;

/// <summary>What a pod, or the template of one, must be.</summary>
internal static class PodRules
{
    private const string MayNotChange =
        "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`," +
        "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations)," +
        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

    private static readonly string[] ContainerLists = ["containers", "initContainers"];

    public static IEnumerable<FieldError> Check(JsonObject pod, JsonObject? before)
    {
        foreach (var error in Spec(pod.ObjectAt("spec"), "spec")) yield return error;
        foreach (var error in Rules.OneOf("spec.restartPolicy", pod.At("spec", "restartPolicy"), "Always", "OnFailure",
            "Never"))
            yield return error;
        if (before is null || JsonAccess.Same(Fixed(pod), Fixed(before))) yield break;
        yield return FieldError.Forbidden("spec", MayNotChange);
    }

    /// <summary>What is wrong with the template of a workload.</summary>
    public static IEnumerable<FieldError> Template(JsonObject? template, string field)
    {
        foreach (var error in Names.CheckLabels($"{field}.metadata.labels", template.ObjectAt("metadata", "labels")))
            yield return error;
        foreach (var error in Names.CheckAnnotations($"{field}.metadata.annotations",
            template.ObjectAt("metadata", "annotations")))
            yield return error;
        foreach (var error in Spec(template.ObjectAt("spec"), $"{field}.spec")) yield return error;
    }

    private static IEnumerable<FieldError> Spec(JsonObject? spec, string field)
    {
        var volumes = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (at, volume) in Rules.Each(spec, "volumes", field))
        {
            var name = volume.Text("name") ?? "";
            if (name.Length == 0) yield return FieldError.Required($"{at}.name");
            else
            {
                foreach (var error in Names.Check($"{at}.name", name, ResourceTypes.NameRule.Label)) yield return error;
                if (!volumes.Add(name)) yield return FieldError.Duplicate($"{at}.name", name);
            }
        }
        if (spec.ListAt("containers") is not { Count: > 0 }) yield return FieldError.Required($"{field}.containers");
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var list in ContainerLists)
        {
            foreach (var (at, container) in Rules.Each(spec, list, field))
            {
                foreach (var error in Container(container, at, names, volumes)) yield return error;
            }
        }
        foreach (var error in Rules.NotNegative($"{field}.terminationGracePeriodSeconds",
            spec.Number("terminationGracePeriodSeconds")))
            yield return error;
    }

    private static IEnumerable<FieldError> Container(JsonNode container, string at, HashSet<string> names,
        HashSet<string> volumes)
    {
        var name = container.Text("name") ?? "";
        if (name.Length == 0) yield return FieldError.Required($"{at}.name");
        else
        {
            foreach (var error in Names.Check($"{at}.name", name, ResourceTypes.NameRule.Label)) yield return error;
            if (!names.Add(name)) yield return FieldError.Duplicate($"{at}.name", name);
        }
        var image = container.Text("image") ?? "";
        if (image.Length == 0) yield return FieldError.Required($"{at}.image");
        else if (image.Trim() != image)
            yield return FieldError.Invalid($"{at}.image", image, "must not have leading or trailing whitespace");
        foreach (var (field, port) in Rules.Each(container, "ports", at))
        {
            foreach (var error in Rules.Port($"{field}.containerPort",
                port.Number("containerPort")))
                yield return error;
            foreach (var error in Rules.OneOf($"{field}.protocol", port.At("protocol"), "SCTP", "TCP",
                "UDP"))
                yield return error;
        }
        foreach (var (field, variable) in Rules.Each(container, "env", at))
        {
            if (string.IsNullOrEmpty(variable.Text("name"))) yield return FieldError.Required($"{field}.name");
            if (variable.At("valueFrom") is not null && variable.Text("value") is { Length: > 0 })
            {
                yield return FieldError.Invalid($"{field}.valueFrom", "",
                    "may not be specified when `value` is not empty");
            }
        }
        foreach (var error in Mounts(container, at, volumes)) yield return error;
        foreach (var error in Resources(container, at)) yield return error;
    }

    private static IEnumerable<FieldError> Mounts(JsonNode container, string at, HashSet<string> volumes)
    {
        var paths = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (field, mount) in Rules.Each(container, "volumeMounts", at))
        {
            var name = mount.Text("name") ?? "";
            if (name.Length == 0) yield return FieldError.Required($"{field}.name");
            if (!volumes.Contains(name)) yield return FieldError.NotFound($"{field}.name", name);
            var path = mount.Text("mountPath") ?? "";
            if (path.Length == 0) yield return FieldError.Required($"{field}.mountPath");
            else if (!paths.Add(path)) yield return FieldError.Invalid($"{field}.mountPath", path, "must be unique");
        }
    }

    private static IEnumerable<FieldError> Resources(JsonNode container, string at)
    {
        var limits = container.ObjectAt("resources", "limits");
        foreach (var (name, request) in container.ObjectAt("resources", "requests") ?? [])
        {
            if (limits.Text(name) is not { } limit || request is null) continue;
            var (asked, most) = (new ResourceQuantity(request.ToString()), new ResourceQuantity(limit));
            if (asked.ToDecimal() <= most.ToDecimal()) continue;
            yield return FieldError.Invalid($"{at}.resources.requests", request.DeepClone(),
                $"must be less than or equal to {name} limit of {limit}");
        }
    }

    // The spec without what may change.
    private static JsonObject Fixed(JsonObject pod)
    {
        var spec = (JsonObject?)pod.ObjectAt("spec")?.DeepClone() ?? [];
        foreach (var list in ContainerLists)
        {
            foreach (var container in (spec.ListAt(list) ?? []).OfType<JsonObject>()) container.Remove("image");
        }
        foreach (var field in new[] { "activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds",
            "schedulingGates", "ephemeralContainers" })
            spec.Remove(field);
        return spec;
    }
}
