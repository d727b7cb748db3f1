using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;

namespace Cloud.Simulator.ApiServers.Validation;

/// <summary>Checks that the rules of several kinds share.</summary>
internal static class Rules
{
    public const string Immutable = "field is immutable";
    private const int LastPort = 65535;

    public static IEnumerable<FieldError> NotNegative(string field, long? value)
    {
        if (value < 0) yield return FieldError.Invalid(field, value, "must be greater than or equal to 0");
    }

    public static IEnumerable<FieldError> Port(string field, long? value)
    {
        if (value is null) yield return FieldError.Required(field);
        else if (value is < 1 or > LastPort)
            yield return FieldError.Invalid(field, value, "must be between 1 and 65535, inclusive");
    }

    public static IEnumerable<FieldError> OneOf(string field, JsonNode? value, params string[] supported)
    {
        if (value is null) yield return FieldError.Required(field);
        else if (!supported.Contains(value.ToString()))
            yield return FieldError.NotSupported(field, value.DeepClone(), supported);
    }

    /// <summary>A field that stays as it was created.</summary>
    public static IEnumerable<FieldError> Unchanged(string field, JsonNode? value, JsonNode? before,
        string why = Immutable)
    {
        if (!JsonAccess.Same(value, before)) yield return FieldError.Invalid(field, value?.DeepClone(), why);
    }

    /// <summary>Elements of a list with their paths.</summary>
    public static IEnumerable<(string Field, JsonNode Item)> Each(JsonNode? parent, string list, string field)
    {
        var items = parent.ListAt(list);
        for (var i = 0; i < (items?.Count ?? 0); i++)
        {
            if (items![i] is { } item) yield return ($"{field}.{list}[{i}]", item);
        }
    }

    /// <summary>True when labels fulfil a selector of an object.</summary>
    public static bool Selects(JsonObject selector, JsonObject? labels)
    {
        foreach (var (key, value) in selector.ObjectAt("matchLabels") ?? [])
        {
            if (labels.Text(key) != value?.ToString()) return false;
        }
        return (selector.ListAt("matchExpressions") ?? []).All(e => Holds(e, labels.Text(e.Text("key") ?? "")));
    }

    private static bool Holds(JsonNode? expression, string? value)
    {
        var listed = (expression.ListAt("values") ?? []).Any(v => v?.ToString() == value);
        return expression.Text("operator") switch
        {
            "In" => value is not null && listed,
            "NotIn" => value is null || !listed,
            "Exists" => value is not null,
            "DoesNotExist" => value is null,
            _ => false,
        };
    }
}
