using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.CustomResources;
using Cloud.Simulator.ApiServers.FieldOwnership;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.ResourceTypes;
using Cloud.Simulator.ApiServers.Schemas;
using Cloud.Simulator.ApiServers.Validation;

namespace Cloud.Simulator.ApiServers.Writes;

/// <summary>
/// What an applier sends. It is read by the schema alone, more strictly than other writes: it must say what it is, have
/// only declared fields, and name each element of a keyed list once.
/// </summary>
internal static class AppliedConfig
{
    /// <summary>Unlike with other writes, nothing is filled in: not even a built-in type.</summary>
    public static void CheckType(ResourceType type, string? ns, JsonObject config)
    {
        var version = config.Text("apiVersion") ?? "";
        if (version != type.ApiVersion)
        {
            throw ApiErrors.BadRequest("Incorrect version specified in apply patch. "
                + $"Specified patch version: {version}, expected: {type.ApiVersion}");
        }
        if (config["metadata"] is not (null or JsonObject)) throw ApiErrors.BadRequest("metadata must be an object");
        if (config.Text("kind") != type.Kind)
            throw Refuse(type, ns, config, [$"no corresponding type for {Kind(type, config)}"]);
    }

    /// <summary>Refuses, in one answer, every field that is not declared, or else every element that is doubled.</summary>
    public static void CheckFields(ResourceType type, string? ns, JsonObject config)
    {
        var unknown = type.Custom is null
            ? BuiltInFields.Normalize(config, type.Schema, type.Kind, type.ApiVersion)
            : CustomFields.Prune(config, type.Schema);
        if (unknown.Count > 0)
            throw Refuse(type, ns, config, [.. unknown.Select(u => $".{u}: field not declared in schema")]);
        var doubled = new List<string>();
        FindDoubled(config, type.Schema, "", doubled);
        if (doubled.Count > 0) throw Refuse(type, ns, config, doubled);
    }

    private static void FindDoubled(JsonNode? value, Schema? schema, string path, List<string> doubled)
    {
        if (schema is not { IsGranular: true }) return;
        if (value is JsonObject obj)
        {
            foreach (var (name, child) in obj) FindDoubled(child, schema.Child(name), $"{path}.{name}", doubled);
        }
        else if (value is JsonArray list && Elements.Of(list, schema) is { } elements)
        {
            doubled.AddRange(elements.CountBy(e => e.Key).Where(e => e.Value > 1)
                .Select(e => $"{path}: duplicate entries for key {FieldSet.PathOf(e.Key)}"));
            foreach (var (element, item) in elements)
                FindDoubled(item, schema.Items, path + FieldSet.PathOf(element), doubled);
        }
    }

    private static ApiException Refuse(ResourceType type, string? ns, JsonObject config, List<string> errors) => new(
        500, "", $"failed to create typed patch object ({ns}/{config.NameOf()}; {Kind(type, config)}): "
            + (errors.Count == 1 ? errors[0] : "errors:\n  " + string.Join("\n  ", errors)));

    // As the server words it: the group, empty for the core, before the version.
    private static string Kind(ResourceType type, JsonObject config) =>
        $"{(type.ApiVersion.Contains('/', StringComparison.Ordinal) ? "" : "/")}{type.ApiVersion}, "
        + $"Kind={config.Text("kind")}";
}
