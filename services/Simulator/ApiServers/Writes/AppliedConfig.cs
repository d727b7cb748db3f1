using System.Text.Json;
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

    /// <summary>
    /// Refuses, in one answer, all values of the wrong type, or else all doubled elements or undeclared fields.
    /// </summary>
    public static void CheckFields(ResourceType type, string? ns, JsonObject config)
    {
        var wrong = new List<string>();
        FindMistyped(config, type.Schema, "", wrong);
        if (wrong.Count == 0) FindDoubled(config, type.Schema, "", wrong);
        if (wrong.Count > 0) throw Refuse(type, ns, config, wrong);
        var unknown = type.Custom is null
            ? BuiltInFields.Normalize(config, type.Schema, type.Kind, type.ApiVersion)
            : CustomFields.Prune(config, type.Schema);
        if (unknown.Count > 0)
            throw Refuse(type, ns, config, [.. unknown.Select(u => $".{u}: field not declared in schema")]);
    }

    private static void FindMistyped(JsonNode? value, Schema? schema, string path, List<string> wrong)
    {
        if (value is null || schema is null) return;
        if (Mistyped(value, schema.Kind) is { } text)
        {
            wrong.Add($"{path}: {text}");
            return;
        }
        if (value is JsonObject obj)
        {
            foreach (var (name, child) in obj) FindMistyped(child, schema.Child(name), $"{path}.{name}", wrong);
        }
        else if (value is JsonArray list)
        {
            foreach (var (at, item) in list.Index())
            {
                var element = schema.IsGranular ? Elements.NameOf(item, schema) : null;
                var below = element is null ? $"{path}[{at}]" : path + FieldSet.PathOf(element);
                FindMistyped(item, schema.Items, below, wrong);
            }
        }
    }

    private static string? Mistyped(JsonNode value, SchemaKind wanted)
    {
        var (found, text) = (value.GetValueKind(), value.ToJsonString(KubernetesJson.Options));
        return wanted switch
        {
            SchemaKind.Text or SchemaKind.Time or SchemaKind.Bytes when found is not JsonValueKind.String =>
                $"expected string, got &value.valueUnstructured{{Value:{text}}}",
            SchemaKind.Integer or SchemaKind.Number when found is not JsonValueKind.Number =>
                $"expected numeric (int or float), got {GoType(found)}",
            SchemaKind.Boolean when found is not (JsonValueKind.True or JsonValueKind.False) =>
                $"expected boolean, got &{{{text}}}",
            SchemaKind.Object or SchemaKind.Map when found is not JsonValueKind.Object =>
                $"expected map, got &{{{text}}}",
            SchemaKind.List when found is not JsonValueKind.Array => $"expected list, got &{{{text}}}",
            _ => null,
        };
    }

    private static string GoType(JsonValueKind kind) => kind switch
    {
        JsonValueKind.String => "string",
        JsonValueKind.Object => "map[string]interface {}",
        JsonValueKind.Array => "[]interface {}",
        _ => "bool",
    };

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
