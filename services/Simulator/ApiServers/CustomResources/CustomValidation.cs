using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.Validation;

namespace Cloud.Simulator.ApiServers.CustomResources;

/// <summary>
/// Validates custom resources by the <c>openAPIV3Schema</c> of their definition, in the wording of a real server.
/// Rules in the Common Expression Language (<c>x-kubernetes-validations</c>) are not evaluated.
/// </summary>
public static class CustomValidation
{
    private static readonly TimeSpan PatternTimeout = TimeSpan.FromSeconds(1);
    private static readonly ConcurrentDictionary<string, Regex> Patterns = new(StringComparer.Ordinal);

    /// <summary>Everything that is wrong with an object; metadata is not looked at.</summary>
    public static IEnumerable<FieldError> Check(JsonObject obj, JsonObject schema)
    {
        foreach (var error in CheckRequired(obj, schema, "")) yield return error;
        foreach (var (name, property) in schema.ObjectAt("properties") ?? [])
        {
            if (name is "apiVersion" or "kind" or "metadata" || property is not JsonObject declared) continue;
            if (!obj.TryGetPropertyValue(name, out var value)) continue;
            foreach (var error in CheckValue(value, declared, name)) yield return error;
        }
    }

    private static IEnumerable<FieldError> CheckValue(JsonNode? value, JsonObject schema, string path)
    {
        if (value is null)
            return schema.Flag("nullable") || schema.Text("type") is null ? [] : [WrongType(null, schema, path)];
        if (!HasType(value, schema)) return [WrongType(value, schema, path)];
        IEnumerable<FieldError> errors = [.. CheckEnum(value, schema, path), .. CheckCombinations(value, schema, path)];
        return value switch
        {
            JsonObject obj => errors.Concat(CheckObject(obj, schema, path)),
            JsonArray list => errors.Concat(CheckList(list, schema, path)),
            _ when value.GetValueKind() is JsonValueKind.String =>
                errors.Concat(CheckText(value.GetValue<string>(), schema, path)),
            _ when value.GetValueKind() is JsonValueKind.Number => errors.Concat(CheckNumber(value, schema, path)),
            _ => errors,
        };
    }

    private static bool HasType(JsonNode value, JsonObject schema)
    {
        var kind = value.GetValueKind();
        if (schema.Flag("x-kubernetes-int-or-string"))
            return kind is JsonValueKind.String || JsonAccess.AsInteger(value) is not null;
        return schema.Text("type") switch
        {
            "object" => kind is JsonValueKind.Object,
            "array" => kind is JsonValueKind.Array,
            "string" => kind is JsonValueKind.String,
            "boolean" => kind is JsonValueKind.True or JsonValueKind.False,
            "integer" => JsonAccess.AsNumber(value) is { } number && Math.Floor(number) == number,
            "number" => kind is JsonValueKind.Number,
            _ => true,
        };
    }

    private static FieldError WrongType(JsonNode? value, JsonObject schema, string path)
    {
        var found = value?.GetValueKind() switch
        {
            null => "null",
            JsonValueKind.Object => "object",
            JsonValueKind.Array => "array",
            JsonValueKind.String => "string",
            JsonValueKind.Number => JsonAccess.AsInteger(value) is null ? "number" : "integer",
            _ => "boolean",
        };
        var wanted = schema.Flag("x-kubernetes-int-or-string") ? "integer,string" : schema.Text("type");
        return FieldError.TypeInvalid(path, found, $"{path} in body must be of type {wanted}: \"{found}\"");
    }

    private static IEnumerable<FieldError> CheckEnum(JsonNode value, JsonObject schema, string path)
    {
        if (schema.ListAt("enum") is { } allowed && !allowed.Any(a => JsonAccess.Same(a, value)))
            yield return FieldError.NotSupported(path, value, allowed.Select(a => a?.ToString() ?? "null"));
    }

    private static IEnumerable<FieldError> CheckCombinations(JsonNode value, JsonObject schema, string path)
    {
        foreach (var part in Schemas(schema, "allOf"))
        {
            foreach (var error in CheckValue(value, part, path)) yield return error;
        }
        if (schema.ContainsKey("anyOf") && Fitting("anyOf") == 0)
            yield return FieldError.Invalid(path, value.DeepClone(),
                $"{path} in body must validate at least one schema (anyOf)");
        if (schema.ContainsKey("oneOf") && Fitting("oneOf") != 1)
            yield return FieldError.Invalid(path, value.DeepClone(),
                $"{path} in body must validate one and only one schema (oneOf)");
        if (schema.ObjectAt("not") is { } not && !CheckValue(value, not, path).Any())
            yield return FieldError.Invalid(path, value.DeepClone(),
                $"{path} in body must not validate the schema (not)");

        int Fitting(string name) => Schemas(schema, name).Count(s => !CheckValue(value, s, path).Any());
    }

    private static IEnumerable<JsonObject> Schemas(JsonObject schema, string name) =>
        (schema.ListAt(name) ?? []).OfType<JsonObject>();

    private static IEnumerable<FieldError> CheckObject(JsonObject obj, JsonObject schema, string path)
    {
        foreach (var error in CheckRequired(obj, schema, path)) yield return error;
        if (schema.Number("maxProperties") is { } most && obj.Count > most)
            yield return new FieldError(path, "FieldValueTooMany",
                $"Too many: {obj.Count}: must have at most {most} items");
        if (schema.Number("minProperties") is { } least && obj.Count < least)
            yield return FieldError.Invalid(path, obj.Count, $"{path} in body should have at least {least} properties");
        var properties = schema.ObjectAt("properties");
        var additional = schema.ObjectAt("additionalProperties");
        foreach (var (name, value) in obj)
        {
            if ((properties.ObjectAt(name) ?? additional) is not { } declared) continue;
            foreach (var error in CheckValue(value, declared, $"{path}.{name}")) yield return error;
        }
    }

    private static IEnumerable<FieldError> CheckRequired(JsonObject obj, JsonObject schema, string path)
    {
        foreach (var name in (schema.ListAt("required") ?? []).Select(n => n!.GetValue<string>()))
        {
            if (!obj.ContainsKey(name)) yield return FieldError.Required(path.Length == 0 ? name : $"{path}.{name}");
        }
    }

    private static IEnumerable<FieldError> CheckList(JsonArray list, JsonObject schema, string path)
    {
        if (schema.Number("maxItems") is { } most && list.Count > most)
            yield return FieldError.TooMany(path, list.Count, (int)most);
        if (schema.Number("minItems") is { } least && list.Count < least)
            yield return FieldError.Invalid(path, list.Count, $"{path} in body should have at least {least} items");
        foreach (var error in CheckDuplicates(list, schema, path)) yield return error;
        if (schema.ObjectAt("items") is not { } items) yield break;
        for (var i = 0; i < list.Count; i++)
        {
            foreach (var error in CheckValue(list[i], items, $"{path}[{i}]")) yield return error;
        }
    }

    private static IEnumerable<FieldError> CheckDuplicates(JsonArray list, JsonObject schema, string path)
    {
        var listType = schema.Text("x-kubernetes-list-type");
        if (listType is not ("set" or "map") && !schema.Flag("uniqueItems")) yield break;
        var keys = (schema.ListAt("x-kubernetes-list-map-keys") ?? []).Select(k => k!.GetValue<string>()).ToList();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < list.Count; i++)
        {
            JsonNode? key = list[i]?.DeepClone();
            if (listType == "map")
                key = new JsonObject(keys.Select(k => KeyValuePair.Create(k, list[i].At(k)?.DeepClone())));
            if (!seen.Add(key?.ToJsonString(KubernetesJson.Options) ?? "null"))
                yield return FieldError.Duplicate($"{path}[{i}]", key);
        }
    }

    private static IEnumerable<FieldError> CheckText(string text, JsonObject schema, string path)
    {
        if (schema.Number("maxLength") is { } most && text.Length > most)
            yield return FieldError.TooLong(path, (int)most);
        if (schema.Number("minLength") is { } least && text.Length < least)
            yield return FieldError.Invalid(path, text, $"{path} in body should be at least {least} chars long");
        if (schema.Text("pattern") is { } pattern && !Patterns.GetOrAdd(pattern, Compile).IsMatch(text))
            yield return FieldError.Invalid(path, text, $"{path} in body should match '{pattern}'");
        if (schema.Text("format") is { } format && !HasFormat(text, format))
            yield return FieldError.TypeInvalid(path, text, $"{path} in body must be of type {format}: \"{text}\"");
    }

    private static Regex Compile(string pattern) => new(pattern, RegexOptions.CultureInvariant, PatternTimeout);

    // The formats that servers check and people meet; the others are taken as they are.
    private static bool HasFormat(string text, string format) => format switch
    {
        "date-time" => DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal,
            out _),
        "date" => DateOnly.TryParseExact(text, "yyyy-MM-dd", out _),
        "byte" => Convert.TryFromBase64String(text, new byte[text.Length], out _),
        "ipv4" or "ipv6" => System.Net.IPAddress.TryParse(text, out _),
        "uuid" => Guid.TryParse(text, out _),
        _ => true,
    };

    private static IEnumerable<FieldError> CheckNumber(JsonNode value, JsonObject schema, string path)
    {
        var number = JsonAccess.AsNumber(value)!.Value;
        foreach (var error in CheckLimits(value, number, schema, path)) yield return error;
        if (JsonAccess.AsNumber(schema["multipleOf"]) is { } step && number % step != 0)
            yield return FieldError.Invalid(path, value.DeepClone(), $"{path} in body should be a multiple of {step}");
        var fits = schema.Text("format") switch
        {
            "int32" => number is >= int.MinValue and <= int.MaxValue,
            "int64" => number is >= long.MinValue and <= long.MaxValue,
            _ => true,
        };
        if (!fits)
        {
            yield return FieldError.Invalid(path, value.DeepClone(),
                $"{path} in body must be of type {schema.Text("format")}");
        }
    }

    private static IEnumerable<FieldError> CheckLimits(JsonNode value, double number, JsonObject schema, string path)
    {
        if (JsonAccess.AsNumber(schema["maximum"]) is { } most)
        {
            var exclusive = schema.Flag("exclusiveMaximum");
            var limit = exclusive ? $"less than {most}" : $"less than or equal to {most}";
            if (exclusive ? number >= most : number > most)
                yield return FieldError.Invalid(path, value.DeepClone(), $"{path} in body should be {limit}");
        }
        if (JsonAccess.AsNumber(schema["minimum"]) is { } least)
        {
            var exclusive = schema.Flag("exclusiveMinimum");
            var limit = exclusive ? $"greater than {least}" : $"greater than or equal to {least}";
            if (exclusive ? number <= least : number < least)
                yield return FieldError.Invalid(path, value.DeepClone(), $"{path} in body should be {limit}");
        }
    }
}
