using Cloud.Simulator.ApiServers;

namespace Cloud.Simulator.Controllers;

/// <summary>
/// Keeps the caches of one cluster fed: one watch per resource, begun before the list that fills the cache, so that
/// no change falls in between.
/// </summary>
/// <remarks>
/// A watch that breaks off is begun again with a new list; what vanished meanwhile is taken as deleted.
/// </remarks>
internal sealed class ObjectFeed(IClusterApi api, ControllerLoop loop, ClusterObjects objects, ILogger logger)
    : IAsyncDisposable
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);
    private readonly CancellationTokenSource _stop = new();
    private readonly Dictionary<string, CancellationTokenSource> _stops = new(StringComparer.Ordinal);
    private readonly List<Task> _pumps = [];

    /// <summary>
    /// Begins to follow a kind; its present objects are in the cache when this returns. From the loop.
    /// </summary>
    public void Follow(ResourceKind kind)
    {
        if (objects.Find(kind.Resource) is null) objects.Add(kind);
        if (_stops.TryGetValue(kind.Resource, out var earlier)) earlier.Cancel();
        var stop = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        _stops[kind.Resource] = stop;
        _pumps.RemoveAll(p => p.IsCompleted);
        _pumps.Add(PumpAsync(kind, stop.Token));
        Fill(kind);
    }

    /// <summary>Stops following a kind that is no longer served, and forgets its objects. From the loop.</summary>
    public void Forget(string resource)
    {
        if (_stops.Remove(resource, out var stop)) stop.Cancel();
        objects.Drop(resource);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_pumps);
        foreach (var stop in _stops.Values) stop.Dispose();
        _stop.Dispose();
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

    private async Task PumpAsync(ResourceKind kind, CancellationToken ct)
    {
        try
        {
            await foreach (var change in api.Watch(kind.Resource, ct)) loop.Post(() => Apply(kind, change));
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            return;
        }
        catch (Exception problem)
        {
            logger.LogWarning(problem, "The watch on {Resource} broke off; beginning again", kind.Resource);
        }
        try
        {
            await Task.Delay(RetryAfter, loop.Clock, ct);
        }
        catch (OperationCanceledException)
        {
            return;
        }
        loop.Post(() =>
        {
            if (!ct.IsCancellationRequested) Follow(kind);
        });
    }

    private void Apply(ResourceKind kind, WatchEvent change)
    {
        if (objects.Find(kind.Resource) is not { } cache) return;
        if (change.Type == "DELETED") cache.Remove(change.Object, repeats: false);
        else cache.Put(change.Object);
    }
}
