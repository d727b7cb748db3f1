using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;

namespace Cloud.Simulator.ApiServers.Validation;

/// <summary>What a CustomResourceDefinition must be.</summary>
internal static class DefinitionRules
{
    public static IEnumerable<FieldError> Check(JsonObject obj, JsonObject? before)
    {
        var (group, plural) = (obj.Text("spec", "group") ?? "", obj.Text("spec", "names", "plural") ?? "");
        if (group.Length == 0) yield return FieldError.Required("spec.group");
        if (plural.Length == 0) yield return FieldError.Required("spec.names.plural");
        if (string.IsNullOrEmpty(obj.Text("spec", "names", "kind")))
            yield return FieldError.Required("spec.names.kind");
        foreach (var error in Rules.OneOf("spec.scope", obj.At("spec", "scope"), "Cluster",
            "Namespaced"))
            yield return error;
        if (obj.NameOf() != $"{plural}.{group}")
            yield return FieldError.Invalid("metadata.name", obj.NameOf(),
                "must be spec.names.plural+\".\"+spec.group");
        foreach (var error in Versions(obj)) yield return error;
        if (before is null) yield break;
        foreach (var field in new[] { "group", "scope" })
        {
            foreach (var error in Rules.Unchanged($"spec.{field}", obj.At("spec", field),
                before.At("spec", field)))
                yield return error;
        }
    }

    private static IEnumerable<FieldError> Versions(JsonObject obj)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var stored = 0;
        foreach (var (at, version) in Rules.Each(obj.At("spec"), "versions", "spec"))
        {
            var name = version.Text("name") ?? "";
            if (name.Length == 0) yield return FieldError.Required($"{at}.name");
            else if (!names.Add(name))
                yield return FieldError.Invalid("spec.versions", name, "must contain unique version names");
            if (version.Flag("storage")) stored++;
            if (version.ObjectAt("schema", "openAPIV3Schema") is not { } schema)
                yield return FieldError.Required($"{at}.schema.openAPIV3Schema", "schemas are required");
            else
            {
                foreach (var error in Structural(schema, $"{at}.schema.openAPIV3Schema")) yield return error;
            }
        }
        if (stored != 1)
        {
            yield return FieldError.Invalid("spec.versions", obj.At("spec", "versions")?.DeepClone(),
                "must have exactly one version marked as storage version");
        }
    }

    // Servers only take schemas from which the shape of every field can be told.
    private static IEnumerable<FieldError> Structural(JsonObject schema, string at)
    {
        var open = schema.Flag("x-kubernetes-int-or-string") || schema.Flag("x-kubernetes-preserve-unknown-fields");
        if (!open && string.IsNullOrEmpty(schema.Text("type")))
            yield return FieldError.Required($"{at}.type", "must not be empty for specified object fields");
        foreach (var (name, property) in schema.ObjectAt("properties") ?? [])
        {
            if (property is not JsonObject declared) continue;
            foreach (var error in Structural(declared, $"{at}.properties[{name}]")) yield return error;
        }
        if (schema.Text("type") == "array"
            && schema.ObjectAt("items") is null)
            yield return FieldError.Required($"{at}.items", "must be specified");
        if (schema.ObjectAt("items") is { } items)
        {
            foreach (var error in Structural(items, $"{at}.items")) yield return error;
        }
        if (schema.ObjectAt("additionalProperties") is { } values)
        {
            foreach (var error in Structural(values, $"{at}.additionalProperties")) yield return error;
        }
    }
}
