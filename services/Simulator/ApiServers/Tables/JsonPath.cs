using System.Globalization;
using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;

namespace Cloud.Simulator.ApiServers.Tables;

/// <summary>
/// The JSON paths of printer columns: <c>.spec.x</c>, <c>['a.b']</c>, <c>[0]</c>, <c>[*]</c>,
/// <c>[?(@.type=="Ready")]</c>.
/// </summary>
public static class JsonPath
{
    /// <summary>Everything that a path leads to; nothing when it leads nowhere or cannot be read.</summary>
    public static IReadOnlyList<JsonNode?> Find(JsonNode obj, string path)
    {
        List<JsonNode?> found = [obj];
        var at = 0;
        while (at < path.Length && found.Count > 0)
        {
            if (path[at] == '.')
            {
                var end = path.AsSpan(at + 1).IndexOfAny('.', '[');
                end = end < 0 ? path.Length : at + 1 + end;
                var name = path[(at + 1)..end].Replace("\\", "", StringComparison.Ordinal);
                if (name.Length > 0) found = name == "*" ? Children(found) : Named(found, name);
                at = end;
            }
            else if (path[at] == '[')
            {
                var end = path.IndexOf(']', at);
                if (end < 0) return [];
                found = Bracket(found, path[(at + 1)..end]);
                at = end + 1;
            }
            else return [];
        }
        return found;
    }

    private static List<JsonNode?> Bracket(List<JsonNode?> found, string inside)
    {
        if (inside == "*") return Children(found);
        if (inside.StartsWith("?(", StringComparison.Ordinal)) return Filter(found, inside[2..].TrimEnd(')'));
        if (int.TryParse(inside, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var index))
        {
            return [.. found.OfType<JsonArray>().Select(l => (List: l, At: index < 0 ? l.Count + index : index))
                .Where(e => e.At >= 0 && e.At < e.List.Count).Select(e => e.List[e.At])];
        }
        return Named(found, inside.Trim('\'', '"'));
    }

    private static List<JsonNode?> Filter(List<JsonNode?> found, string condition)
    {
        var sign = condition.Contains("!=", StringComparison.Ordinal) ? "!=" : "==";
        var parts = condition.Split(sign, 2);
        var path = parts[0].Trim().TrimStart('@');
        var wanted = parts.Length == 2 ? parts[1].Trim().Trim('\'', '"') : null;
        return [.. Children(found).Where(item => item is not null && Fits(First(item, path)))];

        bool Fits(JsonNode? value) =>
            wanted is null ? value is not null : (value?.ToString() == wanted) == (sign == "==");
    }

    private static JsonNode? First(JsonNode item, string path) => Find(item, path) is [var first, ..] ? first : null;

    private static List<JsonNode?> Named(List<JsonNode?> found, string name) =>
        [.. found.Where(f => f is JsonObject o && o.ContainsKey(name)).Select(f => f.At(name))];

    private static List<JsonNode?> Children(List<JsonNode?> found) =>
        [.. found.SelectMany(f => f switch
        {
            JsonArray list => list.AsEnumerable(),
            JsonObject obj => obj.Select(p => p.Value),
            _ => [],
        })];
}
