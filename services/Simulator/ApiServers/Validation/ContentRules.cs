using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;

namespace Cloud.Simulator.ApiServers.Validation;

/// <summary>
/// What Secrets, ConfigMaps, claims, bindings and the like must be, and what of them may never change.
/// </summary>
internal static class ContentRules
{
    private const int MaxBytes = 1024 * 1024;
    private const int KeyLength = 253;
    private const string ImmutableSet = "field is immutable when `immutable` is set";

    public static IEnumerable<FieldError> Secret(JsonObject obj, JsonObject? before)
    {
        foreach (var error in Content(obj, before, "data")) yield return error;
        if (before is null) yield break;
        foreach (var error in Rules.Unchanged("type", obj.At("type"), before.At("type"))) yield return error;
    }

    public static IEnumerable<FieldError> ConfigMap(JsonObject obj, JsonObject? before)
    {
        foreach (var error in Content(obj, before, "data", "binaryData")) yield return error;
        foreach (var key in (obj.ObjectAt("data") ?? [])
            .Select(d => d.Key).Intersect((obj.ObjectAt("binaryData") ?? []).Select(d => d.Key)))
            yield return FieldError.Invalid($"data[{key}]", key, "duplicate of key present in binaryData");
    }

    public static IEnumerable<FieldError> VolumeClaim(JsonObject obj, JsonObject? before)
    {
        if (obj.ListAt("spec", "accessModes") is not { Count: > 0 })
            yield return FieldError.Required("spec.accessModes", "at least 1 access mode is required");
        if (obj.At("spec", "resources", "requests", "storage") is null)
            yield return FieldError.Required("spec.resources[storage]");
        if (before is null || JsonAccess.Same(Fixed(obj), Fixed(before))) yield break;
        yield return FieldError.Forbidden("spec",
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound " +
            "claims");

        // The controller gives a claim its volume, and the class it takes by default, once.
        JsonObject Fixed(JsonObject claim)
        {
            var spec = (JsonObject?)claim.ObjectAt("spec")?.DeepClone() ?? [];
            spec.Remove("resources");
            spec.Remove("volumeAttributesClassName");
            if (before.At("spec", "storageClassName") is null) spec.Remove("storageClassName");
            if (before.At("spec", "volumeName") is null) spec.Remove("volumeName");
            return spec;
        }
    }

    public static IEnumerable<FieldError> RoleBinding(JsonObject obj, JsonObject? before)
    {
        if (string.IsNullOrEmpty(obj.Text("roleRef", "name"))) yield return FieldError.Required("roleRef.name");
        foreach (var error in Rules.OneOf("roleRef.kind", obj.At("roleRef", "kind"), "Role",
            "ClusterRole"))
            yield return error;
        foreach (var (at, subject) in Rules.Each(obj, "subjects", ""))
        {
            var field = at.TrimStart('.');
            if (string.IsNullOrEmpty(subject.Text("name"))) yield return FieldError.Required($"{field}.name");
            foreach (var error in Rules.OneOf($"{field}.kind", subject.At("kind"), "ServiceAccount", "User",
                "Group"))
                yield return error;
            if (subject.Text("kind") == "ServiceAccount" && string.IsNullOrEmpty(subject.Text("namespace")))
                yield return FieldError.Required($"{field}.namespace");
        }
        if (before is null) yield break;
        foreach (var error in Rules.Unchanged("roleRef", obj.At("roleRef"), before.At("roleRef"),
            "cannot change roleRef"))
            yield return error;
    }

    public static IEnumerable<FieldError> Role(JsonObject obj)
    {
        foreach (var (at, rule) in Rules.Each(obj, "rules", ""))
        {
            var field = at.TrimStart('.');
            if (rule.ListAt("verbs") is not { Count: > 0 })
                yield return FieldError.Required($"{field}.verbs", "verbs must contain at least one value");
            var forAddresses = rule.ListAt("nonResourceURLs") is { Count: > 0 };
            var forResources = rule.ListAt("resources") is { Count: > 0 };
            if (forAddresses && (forResources || rule.ListAt("apiGroups") is { Count: > 0 }))
                yield return FieldError.Invalid($"{field}.nonResourceURLs", rule.At("nonResourceURLs")!.DeepClone(),
                    "rules cannot apply to both regular resources and non-resource URLs");
            if (forAddresses) continue;
            if (rule.ListAt("apiGroups") is not { Count: > 0 })
                yield return FieldError.Required($"{field}.apiGroups",
                    "resource rules must supply at least one api group");
            if (!forResources)
                yield return FieldError.Required($"{field}.resources",
                    "resource rules must supply at least one resource");
        }
    }

    public static IEnumerable<FieldError> DisruptionBudget(JsonObject obj)
    {
        if (obj.At("spec", "minAvailable") is not null && obj.At("spec", "maxUnavailable") is not null)
            yield return FieldError.Invalid("spec", obj.At("spec")!.DeepClone(),
                "minAvailable and maxUnavailable cannot be both set");
        foreach (var field in new[] { "minAvailable", "maxUnavailable" })
        {
            foreach (var error in Rules.NotNegative($"spec.{field}", obj.Number("spec", field))) yield return error;
        }
    }

    public static IEnumerable<FieldError> StorageClass(JsonObject obj, JsonObject? before)
    {
        if (string.IsNullOrEmpty(obj.Text("provisioner"))) yield return FieldError.Required("provisioner");
        if (before is null) yield break;
        foreach (var field in new[] { "parameters", "provisioner", "reclaimPolicy", "volumeBindingMode" })
        {
            if (!JsonAccess.Same(obj.At(field), before.At(field)))
                yield return FieldError.Forbidden(field, $"updates to {field} are forbidden.");
        }
    }

    public static IEnumerable<FieldError> Lease(JsonObject obj)
    {
        if (obj.Number("spec", "leaseDurationSeconds") is <= 0 and { } seconds)
            yield return FieldError.Invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0");
        if (obj.Number("spec", "leaseTransitions") is < 0 and { } transitions)
            yield return FieldError.Invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0");
    }

    private static IEnumerable<FieldError> Content(JsonObject obj, JsonObject? before, params string[] maps)
    {
        long size = 0;
        foreach (var map in maps)
        {
            foreach (var (key, value) in obj.ObjectAt(map) ?? [])
            {
                size += value?.ToString().Length ?? 0;
                if (key.Length is 0 or > KeyLength || key is "." or ".."
                    || key.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.')))
                {
                    yield return FieldError.Invalid($"{map}[{key}]", key,
                        "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. " +
                        "'key.name',  or " +
                        "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')");
                }
            }
        }
        if (size > MaxBytes) yield return FieldError.TooLong(maps[0], MaxBytes);
        if (before?.Flag("immutable") != true) yield break;
        if (!obj.Flag("immutable")) yield return FieldError.Forbidden("immutable", ImmutableSet);
        foreach (var map in maps)
        {
            if (!JsonAccess.Same(obj.At(map), before.At(map))) yield return FieldError.Forbidden(map, ImmutableSet);
        }
    }
}
