namespace Cloud.Simulator.ApiServers.Storage;

/// <summary>The latest changes of one kind, a bounded ring, so that a watch can go on where another ended.</summary>
/// <remarks>Not safe by itself: used under the store's gate.</remarks>
internal sealed class ChangeHistory(int capacity, long floor)
{
    private readonly Queue<Change> _changes = new();

    /// <summary>The oldest revision that a watch can begin after; older ones are 410 Gone.</summary>
    public long Floor { get; private set; } = floor;

    public void Add(Change change)
    {
        _changes.Enqueue(change);
        while (_changes.Count > capacity) Floor = _changes.Dequeue().Revision;
    }

    /// <summary>Forgets everything up to a revision, as the compaction of a real server's store does.</summary>
    public void Forget(long revision)
    {
        while (_changes.TryPeek(out var oldest) && oldest.Revision <= revision) _changes.Dequeue();
        Floor = Math.Max(Floor, revision);
    }

    /// <summary>The changes after a revision, oldest first.</summary>
    public IReadOnlyList<Change> After(long revision) => [.. _changes.SkipWhile(c => c.Revision <= revision)];
}
