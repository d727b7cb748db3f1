using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.ResourceTypes;

namespace Cloud.Simulator.ApiServers.Selectors;

/// <summary>A field selector: <c>metadata.name=x,status.phase!=Running</c>.</summary>
public sealed class FieldSelector
{
    private static readonly string[] NamePath = ["metadata", "name"];
    private static readonly string[] NamespacePath = ["metadata", "namespace"];
    private readonly IReadOnlyList<(string[] Path, string Value, bool Equal)> _terms;

    private FieldSelector(IReadOnlyList<(string[] Path, string Value, bool Equal)> terms) => _terms = terms;

    /// <summary>The name that the selector pins down, if it does: such a list or watch is of one object.</summary>
    public string? Name => _terms.Where(t => t.Equal && t.Path == NamePath).Select(t => t.Value).FirstOrDefault();

    /// <summary>The namespace that the selector pins down, if it does.</summary>
    public string? Namespace =>
        _terms.Where(t => t.Equal && t.Path == NamespacePath).Select(t => t.Value).FirstOrDefault();

    /// <summary>Reads a selector; null or blank selects everything. 400 when a field cannot be selected by.</summary>
    public static FieldSelector? Parse(string? text, ResourceType type)
    {
        if (string.IsNullOrWhiteSpace(text)) return null;
        return new FieldSelector(
            [.. text.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(t => ParseTerm(t, type))]);
    }

    /// <summary>Everything of one name.</summary>
    public static FieldSelector ForName(string name) => new([(NamePath, name, true)]);

    public bool Matches(StoredObject obj)
    {
        foreach (var (path, value, equal) in _terms)
        {
            if (((obj.Text(path) ?? Missing(path)) == value) != equal) return false;
        }
        return true;
    }

    // A boolean that is left out is false to the selector, as it is to the typed object of the real server.
    private static string Missing(string[] path) => path[^1] is "unschedulable" or "hostNetwork" ? "false" : "";

    private static (string[], string, bool) ParseTerm(string term, ResourceType type)
    {
        var at = term.IndexOf('=', StringComparison.Ordinal);
        if (at <= 0) throw ApiErrors.BadRequest($"invalid selector: '{term}'; can't understand '{term}'");
        var equal = term[at - 1] != '!';
        var field = (equal ? term[..at] : term[..(at - 1)]).Trim();
        var value = term[(at + 1)..].TrimStart('=').Trim();
        return (Path(field, type), value, equal);
    }

    private static string[] Path(string field, ResourceType type)
    {
        if (field == "metadata.name") return NamePath;
        if (field == "metadata.namespace" && (type.Namespaced || type.Custom is not null)) return NamespacePath;
        if (type.FieldSelectors.TryGetValue(field, out var path)) return path;
        throw ApiErrors.BadRequest(type.FieldSelectors.Count > 0
            ? $"field label not supported: {field}"
            : $"\"{field}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"");
    }
}
