using System.Text.Json.Nodes;

namespace Cloud.Simulator.ApiServers.FieldOwnership;

/// <summary>
/// A set of fields of an object as a tree of path elements in the notation of <c>fieldsV1</c>:
/// <c>f:name</c> a field, <c>k:{"name":"a"}</c> a list element by its keys, <c>v:"a"</c> a member of a set.
/// </summary>
public sealed class FieldSet
{
    private readonly SortedDictionary<string, FieldSet> _children = new(StringComparer.Ordinal);

    /// <summary>True when the field at this point is itself in the set, not only fields below it.</summary>
    public bool IsMember { get; set; }

    public IReadOnlyDictionary<string, FieldSet> Children => _children;

    public bool IsEmpty => !IsMember && _children.Count == 0;

    /// <summary>The subtree of an element, made when missing.</summary>
    public FieldSet At(string element)
    {
        if (!_children.TryGetValue(element, out var child)) _children[element] = child = new FieldSet();
        return child;
    }

    /// <summary>The subtree of an element, or null.</summary>
    public FieldSet? Find(string element) => _children.GetValueOrDefault(element);

    /// <summary>Hangs a subtree in place.</summary>
    public void Put(string element, FieldSet subtree) => _children[element] = subtree;

    /// <summary>Puts a field itself in the set.</summary>
    public void Add(string element) => At(element).IsMember = true;

    /// <summary>Takes out a field and everything below it.</summary>
    public void Remove(params ReadOnlySpan<string> path)
    {
        if (path.Length == 1) _children.Remove(path[0]);
        else if (Find(path[0]) is { } child)
        {
            child.Remove(path[1..]);
            if (child.IsEmpty) _children.Remove(path[0]);
        }
    }

    public FieldSet Union(FieldSet other)
    {
        var result = new FieldSet { IsMember = IsMember || other.IsMember };
        foreach (var (element, child) in _children)
            result._children[element] = other.Find(element) is { } same ? child.Union(same) : child;
        foreach (var (element, child) in other._children) result._children.TryAdd(element, child);
        return result;
    }

    /// <summary>What is here and not in the other set.</summary>
    public FieldSet Difference(FieldSet other)
    {
        var result = new FieldSet { IsMember = IsMember && !other.IsMember };
        foreach (var (element, child) in _children)
        {
            var left = other.Find(element) is { } same ? child.Difference(same) : child;
            if (!left.IsEmpty) result._children[element] = left;
        }
        return result;
    }

    /// <summary>What is here without the fields of another set and all that is below them.</summary>
    public FieldSet Without(FieldSet other)
    {
        if (other.IsMember) return new FieldSet();
        var result = new FieldSet { IsMember = IsMember };
        foreach (var (element, child) in _children)
        {
            var left = other.Find(element) is { } same ? child.Without(same) : child;
            if (!left.IsEmpty) result._children[element] = left;
        }
        return result;
    }

    public FieldSet Intersection(FieldSet other)
    {
        var result = new FieldSet { IsMember = IsMember && other.IsMember };
        foreach (var (element, child) in _children)
        {
            if (other.Find(element) is not { } same) continue;
            var both = child.Intersection(same);
            if (!both.IsEmpty) result._children[element] = both;
        }
        return result;
    }

    public bool SameAs(FieldSet other) =>
        IsMember == other.IsMember && _children.Count == other._children.Count
        && _children.All(c => other.Find(c.Key) is { } same && c.Value.SameAs(same));

    /// <summary>The members as people read them: <c>.spec.containers[name="a"].image</c>.</summary>
    public IEnumerable<string> Paths() => Paths("");

    /// <summary>The <c>fieldsV1</c> of this set.</summary>
    public JsonObject ToJson()
    {
        var json = new JsonObject();
        if (IsMember && _children.Count > 0) json["."] = new JsonObject();
        foreach (var (element, child) in _children) json[element] = child.ToJson();
        return json;
    }

    /// <summary>Reads a <c>fieldsV1</c>.</summary>
    public static FieldSet FromJson(JsonObject json)
    {
        var set = FromChildren(json);
        set.IsMember = json.ContainsKey(".");
        return set;
    }

    private static FieldSet FromChildren(JsonObject json)
    {
        var set = new FieldSet { IsMember = json.Count == 0 || json.ContainsKey(".") };
        foreach (var (element, child) in json)
        {
            if (element != "." && child is JsonObject below) set._children[element] = FromChildren(below);
        }
        return set;
    }

    private IEnumerable<string> Paths(string prefix)
    {
        if (IsMember) yield return prefix;
        foreach (var (element, child) in _children)
        {
            foreach (var path in child.Paths(prefix + PathOf(element))) yield return path;
        }
    }

    /// <summary>A path element as people read it: <c>.image</c>, <c>[name="a"]</c>.</summary>
    public static string PathOf(string element) => element[..2] switch
    {
        "f:" => "." + element[2..],
        "k:" => $"[{string.Join(',', Keys(element[2..]))}]",
        "v:" => $"[={element[2..]}]",
        _ => $"[{element[2..]}]",
    };

    private static IEnumerable<string> Keys(string json) =>
        JsonNode.Parse(json)!.AsObject().Select(k => $"{k.Key}={k.Value?.ToJsonString()}");
}
