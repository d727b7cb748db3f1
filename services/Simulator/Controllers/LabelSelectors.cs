using System.Text.Json.Nodes;

namespace Cloud.Simulator.Controllers;

/// <summary>Matches labels against selectors in their object form.</summary>
internal static class LabelSelectors
{
    /// <summary>
    /// A <c>LabelSelector</c> (matchLabels and matchExpressions). An empty one matches all, a missing one none.
    /// </summary>
    public static bool Matches(JsonNode? selector, JsonObject? labels)
    {
        if (selector is not JsonObject) return false;
        return MatchesMap(selector.At("matchLabels"), labels)
            && selector.Items("matchExpressions").All(e => MatchesExpression(e, labels));
    }

    /// <summary>A plain map, as in a Service: every pair must be there.</summary>
    public static bool MatchesMap(JsonNode? map, JsonObject? labels) =>
        map.Pairs().All(pair => labels.Text(pair.Key) == pair.Value);

    /// <summary>One requirement of matchExpressions or of a node selector term.</summary>
    public static bool MatchesExpression(JsonObject expression, JsonObject? labels)
    {
        var value = labels.Text(expression.Text("key") ?? "");
        var values = expression.Texts("values").ToList();
        return expression.Text("operator") switch
        {
            "In" => value is not null && values.Contains(value),
            "NotIn" => value is null || !values.Contains(value),
            "Exists" => value is not null,
            "DoesNotExist" => value is null,
            "Gt" => Compare(value, values) > 0,
            "Lt" => Compare(value, values) < 0,
            _ => false,
        };
    }

    private static int Compare(string? value, List<string> values) =>
        long.TryParse(value, out var left) && values.Count == 1 && long.TryParse(values[0], out var right)
            ? left.CompareTo(right)
            : 0;
}
