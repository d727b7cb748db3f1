using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;

namespace Cloud.Simulator.ApiServers.Validation;

/// <summary>One thing wrong with one field, in the wording of a Kubernetes API server.</summary>
/// <param name="Field">Path: <c>spec.containers[0].name</c>.</param>
/// <param name="Reason">FieldValueInvalid, FieldValueRequired, ...</param>
/// <param name="Detail">The text without the field.</param>
public sealed record FieldError(string Field, string Reason, string Detail)
{
    public static FieldError Invalid(string field, JsonNode? value, string why) =>
        new(field, "FieldValueInvalid", $"Invalid value: {Quote(value)}: {why}");

    public static FieldError Required(string field, string why = "") =>
        new(field, "FieldValueRequired", why.Length == 0 ? "Required value" : $"Required value: {why}");

    public static FieldError NotSupported(string field, JsonNode? value, IEnumerable<string> supported) =>
        new(field, "FieldValueNotSupported",
            $"Unsupported value: {Quote(value)}: supported values: " +
            $"{string.Join(", ", supported.Select(s => $"\"{s}\""))}");

    public static FieldError Duplicate(string field, JsonNode? value) =>
        new(field, "FieldValueDuplicate", $"Duplicate value: {Quote(value)}");

    public static FieldError Forbidden(string field, string why) =>
        new(field, "FieldValueForbidden", $"Forbidden: {why}");

    public static FieldError NotFound(string field, JsonNode? value) =>
        new(field, "FieldValueNotFound", $"Not found: {Quote(value)}");

    public static FieldError TypeInvalid(string field, JsonNode? value, string why) =>
        new(field, "FieldValueTypeInvalid", $"Invalid value: {Quote(value)}: {why}");

    public static FieldError TooLong(string field, int limit) =>
        new(field, "FieldValueTooLong", $"Too long: may not be more than {limit} bytes");

    public static FieldError TooMany(string field, int count, int limit) =>
        new(field, "FieldValueTooMany", $"Too many: {count}: must have at most {limit} items");

    public override string ToString() => $"{Field}: {Detail}";

    private static string Quote(JsonNode? value) => value is null ? "null" : value.ToJsonString(KubernetesJson.Options);
}
