using Cloud.Simulator.ApiServers;

namespace Cloud.Simulator.Controllers;

/// <summary>
/// Keeps the caches of one cluster fed: one watch per resource, begun before the list that fills the cache, so that
/// no change falls in between. A change waits in the loop's inbox when the write that made it returns.
/// </summary>
internal sealed class ObjectFeed(IClusterApi api, ControllerLoop loop, ClusterObjects objects) : IDisposable
{
    private readonly Dictionary<string, IDisposable> _watches = new(StringComparer.Ordinal);

    /// <summary>
    /// Begins to follow a kind; its present objects are in the cache when this returns. From the loop.
    /// </summary>
    public void Follow(ResourceKind kind)
    {
        if (objects.Find(kind.Resource) is null) objects.Add(kind);
        if (_watches.Remove(kind.Resource, out var earlier)) earlier.Dispose();
        _watches[kind.Resource] = api.Watch(kind.Resource, change => loop.Post(() => Apply(kind, change)));
        Fill(kind);
    }

    /// <summary>Stops following a kind that is no longer served, and forgets its objects. From the loop.</summary>
    public void Forget(string resource)
    {
        if (_watches.Remove(resource, out var watch)) watch.Dispose();
        objects.Drop(resource);
    }

    public void Dispose()
    {
        foreach (var watch in _watches.Values) watch.Dispose();
    }

    private void Fill(ResourceKind kind)
    {
        var cache = objects[kind.Resource];
        var present = api.List(kind.Resource);
        var names = present.Select(o => o.Uid()).ToHashSet(StringComparer.Ordinal);
        foreach (var gone in cache.All.Where(o => !names.Contains(o.Uid())).ToList())
            cache.Remove(gone, repeats: false);
        foreach (var obj in present) cache.Put(obj);
    }

    private void Apply(ResourceKind kind, WatchEvent change)
    {
        if (objects.Find(kind.Resource) is not { } cache) return;
        if (change.Type == "DELETED") cache.Remove(change.Object.Value, repeats: false);
        else cache.Put(change.Object.Value);
    }
}
