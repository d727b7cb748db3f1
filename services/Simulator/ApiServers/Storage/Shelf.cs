using System.Collections.Immutable;
using Cloud.Simulator.ApiServers.Objects;
using ObjectIndex = System.Collections.Immutable.ImmutableSortedDictionary<
    string, System.Collections.Immutable.ImmutableSortedDictionary<string,
        Cloud.Simulator.ApiServers.Objects.StoredObject>>;

namespace Cloud.Simulator.ApiServers.Storage;

/// <summary>
/// The objects of one kind at one moment: an immutable index by namespace and name that readers keep for free.
/// </summary>
public sealed record ShelfView(
    ObjectIndex ByNamespace, long Revision)
{
    /// <summary>Objects of one namespace, or of all, ordered by namespace and name, after a given position.</summary>
    public IEnumerable<StoredObject> From(string? ns, (string Namespace, string Name)? after = null)
    {
        if (ns is not null)
        {
            if (!ByNamespace.TryGetValue(ns, out var own)) return [];
            return after is { } at ? own.Values.SkipWhile(o => string.CompareOrdinal(o.Name, at.Name) <= 0)
                : own.Values;
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

    private ObjectIndex _objects =
        ImmutableSortedDictionary.Create<string, ImmutableSortedDictionary<string,
            StoredObject>>(StringComparer.Ordinal);

    public string Key { get; } = key;

    public ChangeHistory History { get; } = new(historyCapacity, floor);

    public ImmutableList<Follower> Followers { get; set; } = [];

    public ImmutableList<Listener> Listeners { get; set; } = [];

    public ObjectIndex Objects => _objects;

    public StoredObject? Find(string? ns, string name) =>
        _objects.TryGetValue(ns ?? "", out var own) && own.TryGetValue(name, out var found) ? found : null;

    public void Set(StoredObject obj) => _objects = With(_objects, obj);

    public void Remove(string? ns, string name) => _objects = Without(_objects, ns ?? "", name);

    /// <summary>The objects before some changes, given oldest first.</summary>
    public static ObjectIndex Undo(
        ObjectIndex objects, IEnumerable<Change> changes)
    {
        foreach (var change in changes.Reverse())
        {
            objects = change.Before is { } before
                ? With(objects, before)
                : Without(objects, change.After.Namespace ?? "", change.After.Name);
        }
        return objects;
    }

    public void Publish(Change change)
    {
        History.Add(change);
        foreach (var follower in Followers) follower.Offer(change);
        foreach (var listener in Listeners) listener.Hear(change);
    }

    private static ObjectIndex With(
        ObjectIndex objects, StoredObject obj)
    {
        var own = objects.GetValueOrDefault(obj.Namespace ?? "", NoObjects);
        return objects.SetItem(obj.Namespace ?? "", own.SetItem(obj.Name, obj));
    }

    private static ObjectIndex Without(
        ObjectIndex objects, string ns, string name)
    {
        if (!objects.TryGetValue(ns, out var own)) return objects;
        own = own.Remove(name);
        return own.IsEmpty ? objects.Remove(ns) : objects.SetItem(ns, own);
    }
}
