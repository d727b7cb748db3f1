using System.Collections.Immutable;
using Cloud.Simulator.ApiServers.Objects;

namespace Cloud.Simulator.ApiServers.Storage;

/// <summary>The objects of one kind at one moment: an immutable index by namespace and name that readers keep for free.</summary>
public sealed record ShelfView(
    ImmutableSortedDictionary<string, ImmutableSortedDictionary<string, StoredObject>> ByNamespace, long Revision)
{
    /// <summary>Objects of one namespace, or of all, ordered by namespace and name, after a given position.</summary>
    public IEnumerable<StoredObject> From(string? ns, (string Namespace, string Name)? after = null)
    {
        if (ns is not null)
        {
            if (!ByNamespace.TryGetValue(ns, out var own)) return [];
            return after is { } at ? own.Values.SkipWhile(o => string.CompareOrdinal(o.Name, at.Name) <= 0) : own.Values;
        }
        return after is { } position
            ? ByNamespace.SkipWhile(n => string.CompareOrdinal(n.Key, position.Namespace) < 0)
                .SelectMany(n => n.Key == position.Namespace
                    ? n.Value.Values.SkipWhile(o => string.CompareOrdinal(o.Name, position.Name) <= 0)
                    : n.Value.Values)
            : ByNamespace.Values.SelectMany(n => n.Values);
    }
}

/// <summary>All objects of one kind, their recent changes, and who follows them.</summary>
/// <remarks>Written under the store's gate only; <see cref="Objects"/> may be read at any time.</remarks>
internal sealed class Shelf(string key, int historyCapacity, long floor)
{
    private static readonly ImmutableSortedDictionary<string, StoredObject> NoObjects =
        ImmutableSortedDictionary.Create<string, StoredObject>(StringComparer.Ordinal);

    private ImmutableSortedDictionary<string, ImmutableSortedDictionary<string, StoredObject>> _objects =
        ImmutableSortedDictionary.Create<string, ImmutableSortedDictionary<string, StoredObject>>(StringComparer.Ordinal);

    public string Key { get; } = key;

    public ChangeHistory History { get; } = new(historyCapacity, floor);

    public ImmutableList<Follower> Followers { get; set; } = [];

    public ImmutableSortedDictionary<string, ImmutableSortedDictionary<string, StoredObject>> Objects => _objects;

    public StoredObject? Find(string? ns, string name) =>
        _objects.TryGetValue(ns ?? "", out var own) && own.TryGetValue(name, out var found) ? found : null;

    public void Set(StoredObject obj)
    {
        var own = _objects.GetValueOrDefault(obj.Namespace ?? "", NoObjects);
        _objects = _objects.SetItem(obj.Namespace ?? "", own.SetItem(obj.Name, obj));
    }

    public void Remove(string? ns, string name)
    {
        if (!_objects.TryGetValue(ns ?? "", out var own)) return;
        own = own.Remove(name);
        _objects = own.IsEmpty ? _objects.Remove(ns ?? "") : _objects.SetItem(ns ?? "", own);
    }

    public void Publish(Change change)
    {
        History.Add(change);
        foreach (var follower in Followers) follower.Offer(change);
    }
}
