using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;

namespace Cloud.Simulator.ApiServers.Storage;

/// <summary>
/// Everything one cluster holds: objects by kind, namespace and name, one counter of revisions, the recent changes and
/// who follows them.
/// </summary>
/// <remarks>
/// Writers hold <see cref="Gate"/> from the read they base their decision on until the change is kept, so writes of
/// one cluster happen one after the other, each with its own revision, and every follower sees them in that order.
/// Readers take no lock beyond picking up an immutable view. A change is in the journal before it is visible: what was
/// acknowledged survives the death of the process; a failed journal write leaves the store as it was.
/// </remarks>
public sealed class ObjectStore : IDisposable
{
    private readonly ConcurrentDictionary<string, Shelf> _shelves = new(StringComparer.Ordinal);
    private readonly int _watchHistory;
    private readonly Journal? _journal;
    private readonly long _startRevision;
    private long _revision;

    /// <summary>
    /// Opens the store, with what the journal in <paramref name="directory"/> kept; null keeps nothing.
    /// </summary>
    public ObjectStore(string? directory, int watchHistory)
    {
        _watchHistory = watchHistory;
        if (directory is null)
        {
            _startRevision = _revision = 1;
            return;
        }
        _journal = Journal.Open(directory, out var kept);
        _startRevision = _revision = Math.Max(1, kept.Revision);
        foreach (var (key, objects) in kept.Objects)
        {
            foreach (var obj in objects.Values) ShelfOf(key).Set(obj);
        }
    }

    /// <summary>Held by whoever reads in order to write.</summary>
    public Lock Gate { get; } = new();

    /// <summary>The latest revision.</summary>
    public long Revision => Volatile.Read(ref _revision);

    public StoredObject? Find(string key, string? ns, string name) => ShelfOf(key).Find(ns, name);

    /// <summary>The objects of a kind as they are now, and the revision this is.</summary>
    public ShelfView View(string key)
    {
        lock (Gate) return new ShelfView(ShelfOf(key).Objects, _revision);
    }

    /// <summary>
    /// The objects of a kind as they were at a revision; null when that is older than the history kept.
    /// </summary>
    public ShelfView? ViewAt(string key, long revision)
    {
        lock (Gate)
        {
            var shelf = ShelfOf(key);
            if (revision < shelf.History.Floor) return null;
            return new ShelfView(Shelf.Undo(shelf.Objects, shelf.History.After(revision)), revision);
        }
    }

    /// <summary>How many objects of a kind there are.</summary>
    public int Count(string key) => ShelfOf(key).Objects.Values.Sum(n => n.Count);

    /// <summary>Keeps a new version of an object under the next revision. Call under <see cref="Gate"/>.</summary>
    public StoredObject Put(string key, JsonObject obj)
    {
        var shelf = ShelfOf(key);
        var stored = StoredObject.Freeze(obj, _revision + 1);
        var before = shelf.Find(stored.Namespace, stored.Name);
        _journal?.Put(key, stored);
        _revision++;
        shelf.Set(stored);
        shelf.Publish(new Change(before, stored, Deleted: false));
        CompactWhenLong();
        return stored;
    }

    /// <summary>
    /// Removes an object; followers get its <paramref name="last"/> state under the revision of the deletion.
    /// Call under <see cref="Gate"/>.
    /// </summary>
    public StoredObject Remove(string key, StoredObject current, JsonObject last)
    {
        var shelf = ShelfOf(key);
        var stored = StoredObject.Freeze(last, _revision + 1);
        _journal?.Remove(key, stored);
        _revision++;
        shelf.Remove(current.Namespace, current.Name);
        shelf.Publish(new Change(current, stored, Deleted: true));
        CompactWhenLong();
        return stored;
    }

    /// <summary>
    /// Follows a kind from now on. Returns the objects as of the same moment, so that nothing falls in between.
    /// </summary>
    public (Follower Follower, ShelfView View) Follow(string key, string? ns)
    {
        lock (Gate)
        {
            var shelf = ShelfOf(key);
            return (Join(shelf, ns), new ShelfView(shelf.Objects, _revision));
        }
    }

    /// <summary>
    /// Follows a kind from after a revision on. The follower is null when that is older than the history that is kept;
    /// <c>Floor</c> then says how far back it goes.
    /// </summary>
    public (Follower? Follower, IReadOnlyList<Change> Missed, long Floor) FollowAfter(
        string key, string? ns, long revision)
    {
        lock (Gate)
        {
            var shelf = ShelfOf(key);
            if (revision < shelf.History.Floor) return (null, [], shelf.History.Floor);
            var missed = shelf.History.After(revision);
            if (ns is not null) missed = [.. missed.Where(c => c.After.Namespace == ns)];
            return (Join(shelf, ns), missed, shelf.History.Floor);
        }
    }

    /// <summary>
    /// Tells of every change of a kind from now on, under the store's gate, so in order and before the write returns.
    /// </summary>
    public IDisposable Listen(string key, Action<Change> hear)
    {
        var listener = new Listener(hear, left =>
        {
            lock (Gate) ShelfOf(key).Listeners = ShelfOf(key).Listeners.Remove(left);
        });
        lock (Gate) ShelfOf(key).Listeners = ShelfOf(key).Listeners.Add(listener);
        return listener;
    }

    /// <summary>Forgets all history: watches that begin at an older revision are told 410 Gone.</summary>
    public void ForgetHistory()
    {
        lock (Gate)
        {
            foreach (var shelf in _shelves.Values) shelf.History.Forget(_revision);
        }
    }

    /// <summary>Cuts off everybody who follows over HTTP, of every kind.</summary>
    public void CutFollowers()
    {
        lock (Gate)
        {
            foreach (var follower in _shelves.Values.SelectMany(shelf => shelf.Followers)) follower.Cut();
        }
    }

    public void Dispose() => _journal?.Dispose();

    private Follower Join(Shelf shelf, string? ns)
    {
        var follower = new Follower(ns, left =>
        {
            lock (Gate) shelf.Followers = shelf.Followers.Remove(left);
        });
        shelf.Followers = shelf.Followers.Add(follower);
        return follower;
    }

    private void CompactWhenLong()
    {
        if (_journal is not { IsLong: true }) return;
        _journal.Compact(_shelves.Select(s => (s.Key, s.Value.Objects)).ToList(), _revision);
    }

    // A kind that nobody wrote since the start has no change to miss, but a restart loses history: hence the floor.
    private Shelf ShelfOf(string key) => _shelves.GetOrAdd(key, k => new Shelf(k, _watchHistory, _startRevision));
}
