namespace Cloud.ServiceDefaults.Supervision;

/// <summary>A row that may have something to do. Not a truth: PostgreSQL decides at the claim.</summary>
/// <param name="Rank">Whose turn it is, the earliest first: when the row was due or nudged, less the head start that
/// its state gives it.</param>
/// <param name="Ranked">Whether its state is known, so that the rank is more than the moment of a nudge.</param>
/// <param name="HeardAt">When somebody nudged it: a row that waits is then looked at before its time.</param>
/// <param name="Key">Its bulkhead key if known.</param>
internal readonly record struct WorkItem(
    string Id, DateTimeOffset Rank, bool Ranked, DateTimeOffset? HeardAt, string? Key)
{
    /// <summary>A row of which nothing is known but that it was nudged.</summary>
    public static WorkItem Nudged(string id, DateTimeOffset heardAt) => new(id, heardAt, false, heardAt, null);
}

/// <summary>
/// What one supervisor has in hand: items waiting for a slot and items running. Guarantees: an id waits at most once
/// and runs at most once; an id nudged while it runs waits again when it ends, so that no nudge is lost; slots in
/// all and per key are never exceeded; of the items for which there is a slot the lowest rank runs first, and as ranks
/// are moments, whatever waits long enough is the lowest. Items whose key has no slot are set aside until it has one
/// and cost nothing meanwhile. A key whose target failed last has one slot until it answers again, so that many dead
/// targets do not take all slots. Bounded: when full, offers are dropped and <see cref="TakeDropped"/> says that the
/// table must be looked through.
/// </summary>
internal sealed class WorkQueue(int stepsAtOnce, int stepsAtOncePerKey)
{
    /// <summary>Most items that wait; what is beyond is found in the table later.</summary>
    public const int WaitingMax = 10_000;

    /// <summary>Slots of a key whose target failed last.</summary>
    public const int StepsAtOnceWhileFailing = 1;

    private static readonly IComparer<Waiting> ByRank = Comparer<Waiting>.Create((a, b) =>
        a.Item.Rank != b.Item.Rank ? a.Item.Rank.CompareTo(b.Item.Rank) : a.Arrival.CompareTo(b.Arrival));

    private readonly Lock _gate = new();
    private readonly SortedSet<Waiting> _ready = new(ByRank);
    private readonly Dictionary<string, Key> _keys = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Waiting> _waiting = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Running> _running = new(StringComparer.Ordinal);
    private long _arrivals;
    private int _unranked;
    private bool _dropped;

    /// <summary>Items that wait for a slot, without those whose key has none.</summary>
    public int ReadyCount => Read(() => _ready.Count);

    /// <summary>Whether items wait of which nothing is known but that they were nudged.</summary>
    public bool HasUnranked => Read(() => _unranked > 0);

    /// <summary>Every id that runs, or waits with its rank: a look at the table tells nothing new of them.</summary>
    public IReadOnlyList<string> KnownIds => Read<IReadOnlyList<string>>(
        () => [.. _waiting.Values.Where(w => w.Item.Ranked).Select(w => w.Item.Id), .. _running.Keys]);

    /// <summary>Keys without a free slot.</summary>
    public IReadOnlyList<string> FullKeys => Read<IReadOnlyList<string>>(
        () => [.. _keys.Where(pair => FreeSlots(pair.Value) <= 0).Select(pair => pair.Key)]);

    /// <summary>Whether an offer was dropped since this was last asked.</summary>
    public bool TakeDropped()
    {
        lock (_gate)
        {
            var dropped = _dropped;
            _dropped = false;
            return dropped;
        }
    }

    /// <summary>Notes that a row may have something to do.</summary>
    public void Offer(WorkItem item)
    {
        lock (_gate)
        {
            if (_running.TryGetValue(item.Id, out var running))
            {
                running.HeardAt = item.HeardAt ?? running.HeardAt;
            }
            else if (_waiting.TryGetValue(item.Id, out var known))
            {
                Remove(known);
                Add(new Waiting(Merged(known.Item, item), known.Arrival));
            }
            else if (_waiting.Count < WaitingMax)
            {
                Add(new Waiting(item, _arrivals++));
            }
            else
            {
                _dropped = true;
            }
        }
    }

    /// <summary>Takes the first item for which there is a slot; it runs until <see cref="Finish"/>.</summary>
    public bool TryTake(out WorkItem item)
    {
        lock (_gate)
        {
            while (_running.Count < stepsAtOnce && _ready.Min is { } first)
            {
                if (first.Item.Key is { } full && _keys.TryGetValue(full, out var key) && FreeSlots(key) <= 0)
                {
                    _ready.Remove(first);
                    key.Aside.Add(first);
                    continue;
                }

                item = first.Item;
                Remove(first);
                _running.Add(item.Id, new Running());
                if (item.Key is not null)
                {
                    Enter(item.Id, item.Key);
                }

                return true;
            }
        }

        item = default;
        return false;
    }

    /// <summary>Takes a slot of the key that a running item turned out to have.</summary>
    /// <returns>False when the key has none left: put the item back.</returns>
    public bool TryEnter(string id, string key)
    {
        lock (_gate)
        {
            var running = _running[id];
            if (running.Key == key)
            {
                return true;
            }

            if (_keys.TryGetValue(key, out var known) && FreeSlots(known) <= 0)
            {
                return false;
            }

            Leave(running, targetFailed: null);
            Enter(id, key);
            return true;
        }
    }

    /// <summary>Ends a run. The item waits again if it was nudged meanwhile or <paramref name="again"/> says
    /// so.</summary>
    /// <param name="targetFailed">Whether the target of its key failed or answered; null when it was not asked.</param>
    /// <returns>Whether its key was full and has room now for which nothing waits here: the table may have
    /// something.</returns>
    public bool Finish(string id, WorkItem? again, bool? targetFailed)
    {
        lock (_gate)
        {
            _running.Remove(id, out var running);
            var key = again?.Key ?? running!.Key;
            var room = Leave(running!, targetFailed);
            if (running!.HeardAt is { } heardAt)
            {
                Offer((again ?? WorkItem.Nudged(id, heardAt)) with { HeardAt = heardAt, Key = key });
            }
            else if (again is { } item)
            {
                Offer(item with { Key = key });
            }

            return room;
        }
    }

    private static WorkItem Merged(WorkItem known, WorkItem news) => new(
        known.Id,
        news.Ranked || known.Ranked == news.Ranked && news.Rank < known.Rank ? news.Rank : known.Rank,
        known.Ranked || news.Ranked,
        news.HeardAt ?? known.HeardAt,
        news.Key ?? known.Key);

    private void Add(Waiting waiting)
    {
        _waiting.Add(waiting.Item.Id, waiting);
        _ready.Add(waiting);
        _unranked += waiting.Item.Ranked ? 0 : 1;
    }

    private void Remove(Waiting waiting)
    {
        _waiting.Remove(waiting.Item.Id);
        if (!_ready.Remove(waiting) && waiting.Item.Key is { } name && _keys.TryGetValue(name, out var key))
        {
            key.Aside.Remove(waiting);
        }

        _unranked -= waiting.Item.Ranked ? 0 : 1;
    }

    private int FreeSlots(Key key) => (key.Failing ? StepsAtOnceWhileFailing : stepsAtOncePerKey) - key.Running;

    private void Enter(string id, string name)
    {
        _running[id].Key = name;
        if (!_keys.TryGetValue(name, out var key))
        {
            _keys.Add(name, key = new Key());
        }

        key.Running++;
    }

    /// <returns>Whether the key was full, and has more room now than items were set aside for.</returns>
    private bool Leave(Running running, bool? targetFailed)
    {
        if (running.Key is not { } name)
        {
            return false;
        }

        running.Key = null;
        var key = _keys[name];
        var wasFull = FreeSlots(key) <= 0;
        key.Running--;
        key.Failing = targetFailed ?? key.Failing;
        var free = FreeSlots(key);
        for (; free > 0 && key.Aside.Min is { } next; free--)
        {
            key.Aside.Remove(next);
            _ready.Add(next);
        }

        if (key is { Running: 0, Failing: false, Aside.Count: 0 })
        {
            _keys.Remove(name);
        }

        return wasFull && free > 0;
    }

    private T Read<T>(Func<T> read)
    {
        lock (_gate)
        {
            return read();
        }
    }

    private sealed record Waiting(WorkItem Item, long Arrival);

    private sealed class Running
    {
        public string? Key { get; set; }

        public DateTimeOffset? HeardAt { get; set; }
    }

    /// <summary>A bulkhead key that is in use, or whose target fails.</summary>
    private sealed class Key
    {
        public int Running { get; set; }

        public bool Failing { get; set; }

        public SortedSet<Waiting> Aside { get; } = new(ByRank);
    }
}
