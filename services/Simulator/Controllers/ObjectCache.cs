using System.Text.Json.Nodes;

namespace Cloud.Simulator.Controllers;

/// <summary>One object before and after; <see cref="Old"/> null is new, <see cref="New"/> null is gone.</summary>
internal readonly record struct Change(ObjectKey Key, JsonObject? Old, JsonObject? New);

/// <summary>
/// The last known objects of one resource, indexed by namespace. Owned by the cluster's loop, so it takes no lock.
/// </summary>
/// <remarks>
/// Objects in it are shared: whoever changes one copies it first. What the loop itself writes is put in at once, and
/// what a watch repeats later is recognised by its resourceVersion (or, for a deletion, by its uid) and ignored, so a
/// controller never acts on a picture older than its own last write.
/// </remarks>
internal sealed class ObjectCache(ResourceKind kind, Action<Change> changed)
{
    private readonly Dictionary<string, Dictionary<string, JsonObject>> _byNamespace = new(StringComparer.Ordinal);
    private readonly HashSet<string> _deleted = new(StringComparer.Ordinal);

    public ResourceKind Kind { get; } = kind;

    public IEnumerable<JsonObject> All => _byNamespace.Values.SelectMany(names => names.Values);

    public JsonObject? Get(string? ns, string name) =>
        _byNamespace.TryGetValue(ns ?? "", out var names) ? names.GetValueOrDefault(name) : null;

    public IEnumerable<JsonObject> In(string? ns) =>
        _byNamespace.TryGetValue(ns ?? "", out var names) ? names.Values : [];

    public bool AnyIn(string ns) => _byNamespace.ContainsKey(ns);

    /// <summary>Takes in a state of an object, unless it or a later one is known already.</summary>
    public void Put(JsonObject obj)
    {
        if (_deleted.Contains(obj.Uid())) return;
        var old = Get(obj.Namespace(), obj.Name());
        if (old is not null && obj.ResourceVersion() <= old.ResourceVersion()) return;
        if (old is not null && old.Uid() != obj.Uid())
        {
            Forget(old);
            old = null;
        }
        var ns = obj.Namespace() ?? "";
        if (!_byNamespace.TryGetValue(ns, out var names)) _byNamespace[ns] = names = new(StringComparer.Ordinal);
        names[obj.Name()] = obj;
        changed(new Change(KeyOf(obj), old, obj));
    }

    /// <summary>Takes in that this very object (by uid) is gone, unless that is known already.</summary>
    /// <param name="obj">The object as it was last.</param>
    /// <param name="repeats">True when the watch is yet to report this deletion too.</param>
    public void Remove(JsonObject obj, bool repeats)
    {
        if (repeats) _deleted.Add(obj.Uid());
        else _deleted.Remove(obj.Uid());
        if (Get(obj.Namespace(), obj.Name()) is { } known && known.Uid() == obj.Uid()) Forget(known);
    }

    private void Forget(JsonObject known)
    {
        var ns = known.Namespace() ?? "";
        var names = _byNamespace[ns];
        names.Remove(known.Name());
        if (names.Count == 0) _byNamespace.Remove(ns);
        changed(new Change(KeyOf(known), known, null));
    }

    private ObjectKey KeyOf(JsonObject obj) => new(Kind.Resource, obj.Namespace(), obj.Name());
}
