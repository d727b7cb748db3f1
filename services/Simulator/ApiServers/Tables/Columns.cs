using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;

namespace Cloud.Simulator.ApiServers.Tables;

/// <summary>Columns and cells that several kinds share.</summary>
internal static class Columns
{
    public const string None = "<none>";

    public static TableColumn Name { get; } =
        new("Name", "string", static (obj, _) => obj.NameOf()) { Format = "name", Description = MetaDescriptions.Name };

    public static TableColumn Age { get; } =
        new("Age", "string", static (obj, now) => Ages.Since(obj.Text("metadata", "creationTimestamp"), now))
        {
            Description = MetaDescriptions.Age,
        };

    public static TableColumn Text(string name, Func<JsonObject, string?> cell, int priority = 0) =>
        new(name, "string", (obj, _) => cell(obj)) { Priority = priority };

    public static TableColumn Number(string name, Func<JsonObject, long?> cell) =>
        new(name, "integer", (obj, _) => cell(obj) ?? 0);

    /// <summary>A string of the object itself, or what is said when there is none.</summary>
    public static TableColumn At(string name, string otherwise, params string[] path) =>
        Text(name, obj => obj.At(path)?.ToString() is { Length: > 0 } text ? text : otherwise);

    public static IEnumerable<TableColumn> PodTemplate(params string[] template) =>
    [
        Text("Containers", obj => Join(Containers(obj, template).Select(c => c.Text("name"))), 1),
        Text("Images", obj => Join(Containers(obj, template).Select(c => c.Text("image"))), 1),
    ];

    public static TableColumn Selector(params string[] path) =>
        Text("Selector", obj => SelectorText(obj.ObjectAt(path)), 1);

    /// <summary>A label selector as kubectl writes it.</summary>
    public static string SelectorText(JsonObject? selector)
    {
        if (selector is null) return None;
        var labels = (selector.ObjectAt("matchLabels") ?? []).Select(l => $"{l.Key}={l.Value}");
        var expressions = (selector.ListAt("matchExpressions") ?? []).Select(Expression);
        return Join(labels.Concat(expressions)) is { Length: > 0 } text ? text : None;
    }

    public static string LabelsText(JsonObject? labels) =>
        labels is { Count: > 0 } ? Join(labels.Select(l => $"{l.Key}={l.Value}")) : None;

    public static string Join(IEnumerable<string?> texts, string separator = ",") => string.Join(separator, texts);

    private static JsonArray Containers(JsonObject obj, string[] template) =>
        obj.ObjectAt(template).ListAt("spec", "containers") ?? [];

    private static string Expression(JsonNode? expression)
    {
        var (key, values) = (expression.Text("key"),
            Join((expression.ListAt("values") ?? []).Select(v => v?.ToString())));
        return expression.Text("operator") switch
        {
            "In" => $"{key} in ({values})",
            "NotIn" => $"{key} notin ({values})",
            "DoesNotExist" => $"!{key}",
            _ => key ?? "",
        };
    }
}
