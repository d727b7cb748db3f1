using System.Text.Json;
using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.Schemas;
using k8s.Models;

namespace Cloud.Simulator.ApiServers.Validation;

/// <summary>
/// Reads a built-in kind as a typed server does: unknown fields are dropped and named, values of the wrong type
/// refused,
/// nulls and empty lists and maps left out, quantities written in their canonical form.
/// </summary>
public static class BuiltInFields
{
    // The few lists whose emptiness the API writes out.
    private static readonly HashSet<string> KeptWhenEmpty = ["rules", "endpoints", "subsets"];

    /// <summary>
    /// Brings an object in shape, in place, and returns the fields it does not have.
    /// 400 when a value has the wrong type.
    /// </summary>
    public static IReadOnlyList<string> Normalize(JsonObject obj, Schema schema, string kind, string apiVersion)
    {
        var unknown = new List<string>();
        try
        {
            Visit(obj, schema, "", schema, "", unknown);
        }
        catch (WrongTypeException wrong)
        {
            var version = apiVersion[(apiVersion.IndexOf('/', StringComparison.Ordinal) + 1)..];
            throw ApiErrors.BadRequest(
                $"{kind} in version \"{version}\" cannot be handled as a {kind}: {wrong.Message}");
        }
        return unknown;
    }

    private static JsonNode? Visit(
        JsonNode value, Schema schema, string path, Schema owner, string field, List<string> unknown)
    {
        switch (schema.Kind)
        {
            case SchemaKind.Object:
                VisitObject(Expect<JsonObject>(value, owner, path, schema.TypeName), schema, path, unknown);
                return value;
            case SchemaKind.Map:
                var map = Expect<JsonObject>(value, owner, path, "map[string]" + GoType(schema.Items!));
                VisitMap(map, schema.Items!, path, owner, unknown);
                return map.Count == 0 ? null : map;
            case SchemaKind.List:
                var list = Expect<JsonArray>(value, owner, path, "[]" + GoType(schema.Items!));
                VisitList(list, schema.Items!, path, owner, unknown);
                return list.Count == 0 && !KeptWhenEmpty.Contains(field) ? null : list;
            case SchemaKind.Any:
                return value;
            default:
                return VisitScalar(value, schema, owner, path);
        }
    }

    private static void VisitObject(JsonObject obj, Schema schema, string path, List<string> unknown)
    {
        foreach (var (name, value) in obj.ToList())
        {
            var at = path.Length == 0 ? name : $"{path}.{name}";
            if (!schema.Properties.TryGetValue(name, out var child))
            {
                if (schema.PreserveUnknown) continue;
                unknown.Add(at);
                obj.Remove(name);
                continue;
            }
            var kept = value is null ? null : Visit(value, child, at, schema, name, unknown);
            if (kept is null) obj.Remove(name);
            else if (!ReferenceEquals(kept, value)) obj[name] = kept;
        }
    }

    private static void VisitMap(JsonObject map, Schema items, string path, Schema owner, List<string> unknown)
    {
        foreach (var (name, value) in map.ToList())
        {
            var kept = value is null ? Zero(items) : Visit(value, items, $"{path}.{name}", owner, "", unknown);
            if (!ReferenceEquals(kept, value)) map[name] = kept;
        }
    }

    private static void VisitList(JsonArray list, Schema items, string path, Schema owner, List<string> unknown)
    {
        for (var i = 0; i < list.Count; i++)
        {
            var value = list[i];
            var kept = value is null ? Zero(items) : Visit(value, items, $"{path}[{i}]", owner, "", unknown);
            if (!ReferenceEquals(kept, value)) list[i] = kept;
        }
    }

    private static JsonNode? Zero(Schema schema) => schema.Kind switch
    {
        SchemaKind.Object => new JsonObject(),
        SchemaKind.Text or SchemaKind.Bytes => "",
        SchemaKind.Quantity => "0",
        _ => null,
    };

    private static JsonNode VisitScalar(JsonNode value, Schema schema, Schema owner, string path)
    {
        var kind = value.GetValueKind();
        var fits = schema.Kind switch
        {
            SchemaKind.Text or SchemaKind.Time or SchemaKind.Bytes => kind is JsonValueKind.String,
            SchemaKind.Integer => kind is JsonValueKind.Number && JsonAccess.AsInteger(value) is not null,
            SchemaKind.Number => kind is JsonValueKind.Number,
            SchemaKind.Boolean => kind is JsonValueKind.True or JsonValueKind.False,
            _ => kind is JsonValueKind.String or JsonValueKind.Number,
        };
        if (!fits) throw WrongType(value, owner, path, GoType(schema));
        if (schema.Kind is SchemaKind.Quantity) return Canonical(value);
        if (schema.Kind is SchemaKind.Bytes) CheckBase64(value.GetValue<string>());
        return value;
    }

    private static JsonNode Canonical(JsonNode value)
    {
        var text = value is JsonValue v && v.TryGetValue<string>(out var s) ? s : value.ToJsonString();
        try
        {
            var canonical = new ResourceQuantity(text).ToString();
            return canonical == text && value.GetValueKind() is JsonValueKind.String ? value
                : JsonValue.Create(canonical);
        }
        catch (FormatException)
        {
            throw new WrongTypeException(
                "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
        }
    }

    private static void CheckBase64(string text)
    {
        if (!Convert.TryFromBase64String(text, new byte[text.Length], out _))
            throw new WrongTypeException("illegal base64 data at input byte 0");
    }

    private static T Expect<T>(JsonNode value, Schema owner, string path, string goType)
        where T : JsonNode => value as T ?? throw WrongType(value, owner, path, goType);

    private static WrongTypeException WrongType(JsonNode value, Schema owner, string path, string goType)
    {
        var found = value.GetValueKind() switch
        {
            JsonValueKind.String => "string",
            JsonValueKind.Number => "number",
            JsonValueKind.True or JsonValueKind.False => "bool",
            JsonValueKind.Array => "array",
            _ => "object",
        };
        return new WrongTypeException(
            $"json: cannot unmarshal {found} into Go struct field {owner.TypeName}.{WithoutIndexes(path)} of type " +
            $"{goType}");
    }

    private static string WithoutIndexes(string path) =>
        string.Join('.', path.Split('.').Select(p => p.Split('[')[0]));

    private static string GoType(Schema schema) => schema.Kind switch
    {
        SchemaKind.Integer => schema.TypeName,
        SchemaKind.Boolean => "bool",
        SchemaKind.Number => "float64",
        SchemaKind.Bytes => "[]uint8",
        SchemaKind.Time => "Time",
        SchemaKind.Object => schema.TypeName,
        SchemaKind.List => "[]" + GoType(schema.Items!),
        SchemaKind.Map => "map[string]" + GoType(schema.Items!),
        SchemaKind.Quantity => "resource.Quantity",
        SchemaKind.IntOrString => "intstr.IntOrString",
        _ => "string",
    };

    private sealed class WrongTypeException(string message) : Exception(message);
}
