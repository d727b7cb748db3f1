using k8s;
using k8s.Models;

namespace Cloud.Watching;

/// <summary>
/// What happened to one cached object: Before is null for a new one, After is null for one that is gone.
/// </summary>
public sealed record ObjectChange<T>(ObjectKey Key, T? Before, T? After);

/// <summary>
/// The objects of one kind in one cluster, as last heard from its API server. A <see cref="Reflector{T}"/> writes it,
/// anybody reads it.
/// </summary>
/// <remarks>
/// Guarantees: safe for concurrent use; reads never block on the network; changes are announced one at a time in the
/// order of the stream, after the cache shows them. Objects are shared, so nobody may modify what they read.
/// A cache lags behind the server. Who writes an object and must read its own write brackets the call with
/// <see cref="BeginWrite"/>: the answer is then shown until the stream has caught up with it, and never afterwards.
/// Failures: a subscriber that throws ends the reflector, so it must do no more than mark and enqueue.
/// </remarks>
public sealed class ObjectCache<T>
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    private readonly Lock _gate = new();
    private readonly Dictionary<ObjectKey, Entry> _entries = [];
    private readonly List<CacheIndex<T>> _indexes = [];
    private readonly Dictionary<ObjectKey, List<PendingWrite>> _writes = [];

    /// <summary>Announces every change. Runs on the reflector's task.</summary>
    public event Action<ObjectChange<T>>? Changed;

    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _entries.Count;
            }
        }
    }

    /// <summary>The object of that key, or null when there is none.</summary>
    public T? Find(ObjectKey key)
    {
        lock (_gate)
        {
            return _entries.TryGetValue(key, out var entry) ? entry.Item : null;
        }
    }

    /// <summary>The object of that name, or null when there is none.</summary>
    public T? Find(string ns, string name) => Find(new ObjectKey(ns, name));

    /// <summary>All objects at this moment, in no particular order.</summary>
    public IReadOnlyList<T> All()
    {
        lock (_gate)
        {
            return [.. _entries.Values.Select(e => e.Item)];
        }
    }

    /// <summary>
    /// Adds a way to look objects up by something else than their key. Also covers what is cached already.
    /// </summary>
    /// <param name="terms">Pure: what one object is to be found under.</param>
    public CacheIndex<T> AddIndex(Func<T, IEnumerable<string>> terms)
    {
        var index = new CacheIndex<T>(_gate, terms);
        lock (_gate)
        {
            foreach (var (key, entry) in _entries)
            {
                index.Add(key, entry.Item);
            }

            _indexes.Add(index);
        }

        return index;
    }

    /// <summary>
    /// Announces that an object is about to be written. Complete the result with the server's answer, and dispose it
    /// in any case.
    /// </summary>
    public PendingWrite BeginWrite(ObjectKey key)
    {
        var write = new PendingWrite(this, key);
        lock (_gate)
        {
            if (!_writes.TryGetValue(key, out var writes))
            {
                _writes[key] = writes = [];
            }

            writes.Add(write);
            // A write that changes nothing is answered with this version, which the stream does not show again.
            if (_entries.GetValueOrDefault(key)?.Item.Metadata.ResourceVersion is { } shown)
            {
                write.Seen.Add(shown);
            }
        }

        return write;
    }

    /// <summary>Takes in an object from the stream.</summary>
    public void Set(T item)
    {
        var key = ObjectKey.Of(item);
        T? before;
        lock (_gate)
        {
            NoteForWriters(key, item.Metadata.ResourceVersion);
            if (_entries.TryGetValue(key, out var entry) && entry.Awaited is { } awaited
                && awaited != item.Metadata.ResourceVersion)
            {
                return; // Older than our own write; the stream will show that, and then what came after it.
            }

            before = entry?.Item;
            Put(key, item, awaited: null);
        }

        Changed?.Invoke(new ObjectChange<T>(key, before, item));
    }

    /// <summary>Takes in that an object is gone.</summary>
    /// <param name="uid">
    /// Which one is gone; a younger object of the same name stays. Null removes whatever is there.
    /// </param>
    public void Remove(ObjectKey key, string? uid)
    {
        T before;
        lock (_gate)
        {
            if (!_entries.TryGetValue(key, out var entry)
                || (uid is not null && entry.Awaited is not null && entry.Item.Metadata.Uid != uid))
            {
                return;
            }

            before = entry.Item;
            Drop(key, before);
        }

        Changed?.Invoke(new ObjectChange<T>(key, before, null));
    }

    /// <summary>
    /// Takes in a fresh list: announces what is new or different, and a removal for everything that is missing.
    /// </summary>
    /// <param name="kept">Keys that are in the list but could not be read: their last known object stays.</param>
    public void Replace(IReadOnlyCollection<T> items, IReadOnlyCollection<ObjectKey> kept)
    {
        var changes = new List<ObjectChange<T>>();
        lock (_gate)
        {
            var present = new HashSet<ObjectKey>(kept);
            foreach (var item in items)
            {
                var key = ObjectKey.Of(item);
                present.Add(key);
                NoteForWriters(key, item.Metadata.ResourceVersion);
                var before = _entries.GetValueOrDefault(key)?.Item;
                Put(key, item, awaited: null);
                if (before is null || before.Metadata.ResourceVersion != item.Metadata.ResourceVersion)
                {
                    changes.Add(new ObjectChange<T>(key, before, item));
                }
            }

            foreach (var (key, entry) in _entries.Where(e => !present.Contains(e.Key)).ToList())
            {
                Drop(key, entry.Item);
                changes.Add(new ObjectChange<T>(key, entry.Item, null));
            }
        }

        foreach (var change in changes)
        {
            Changed?.Invoke(change);
        }
    }

    private void Put(ObjectKey key, T item, string? awaited)
    {
        if (_entries.TryGetValue(key, out var old))
        {
            _indexes.ForEach(i => i.Remove(key, old.Item));
        }

        _entries[key] = new Entry(item, awaited);
        _indexes.ForEach(i => i.Add(key, item));
    }

    private void Drop(ObjectKey key, T item)
    {
        _entries.Remove(key);
        _indexes.ForEach(i => i.Remove(key, item));
    }

    private void NoteForWriters(ObjectKey key, string? version)
    {
        if (_writes.TryGetValue(key, out var writes) && version is not null)
        {
            writes.ForEach(w => w.Seen.Add(version));
        }
    }

    private sealed record Entry(T Item, string? Awaited);

    /// <summary>A write under way; see <see cref="BeginWrite"/>.</summary>
    public sealed class PendingWrite : IDisposable
    {
        private readonly ObjectCache<T> _cache;
        private readonly ObjectKey _key;

        internal PendingWrite(ObjectCache<T> cache, ObjectKey key)
        {
            _cache = cache;
            _key = key;
        }

        /// <summary>The version that was shown when the write began, and those that the stream showed since.</summary>
        internal HashSet<string> Seen { get; } = [];

        /// <summary>Shows the server's answer in the cache, unless the stream was faster.</summary>
        public void Complete(T answer)
        {
            lock (_cache._gate)
            {
                var version = answer.Metadata.ResourceVersion ?? "";
                var shown = _cache._entries.GetValueOrDefault(_key);
                if (shown?.Item.Metadata.ResourceVersion != version && !Seen.Contains(version))
                {
                    _cache.Put(_key, answer, awaited: version);
                }
            }
        }

        public void Dispose()
        {
            lock (_cache._gate)
            {
                if (_cache._writes.TryGetValue(_key, out var writes) && writes.Remove(this) && writes.Count == 0)
                {
                    _cache._writes.Remove(_key);
                }
            }
        }
    }
}
