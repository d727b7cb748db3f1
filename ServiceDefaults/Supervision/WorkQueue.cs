namespace Cloud.ServiceDefaults.Supervision;

/// <summary>A row that may have something to do. Not a truth: PostgreSQL decides at the claim.</summary>
/// <param name="Nudged">Somebody said so, hence a row that waits is looked at before its time.</param>
/// <param name="Key">Its bulkhead key if known.</param>
internal readonly record struct WorkItem(string Id, bool Nudged, string? Key);

/// <summary>
/// What one supervisor has in hand: items waiting for a slot and items running. Guarantees: an id waits at most once
/// and runs at most once; an id offered while it runs waits again when it ends, so that no nudge is lost; slots in
/// all and per key are never exceeded. Bounded: when full, offers are dropped and <see cref="Dropped"/> says that the
/// table must be looked through.
/// </summary>
internal sealed class WorkQueue(int stepsAtOnce, int stepsAtOncePerKey)
{
    /// <summary>Most items that wait; what is beyond is found in the table later.</summary>
    public const int WaitingMax = 10_000;

    private readonly Lock _gate = new();
    private readonly LinkedList<WorkItem> _waiting = new();
    private readonly Dictionary<string, LinkedListNode<WorkItem>> _waitingById = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Running> _running = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _runningByKey = new(StringComparer.Ordinal);
    private bool _dropped;

    /// <summary>Slots that are free now.</summary>
    public int FreeSlots
    {
        get
        {
            lock (_gate)
            {
                return stepsAtOnce - _running.Count;
            }
        }
    }

    /// <summary>Every id that waits or runs.</summary>
    public IReadOnlyList<string> BusyIds
    {
        get
        {
            lock (_gate)
            {
                return [.. _waitingById.Keys, .. _running.Keys];
            }
        }
    }

    /// <summary>Keys without a free slot.</summary>
    public IReadOnlyList<string> FullKeys
    {
        get
        {
            lock (_gate)
            {
                return [.. _runningByKey.Where(pair => pair.Value >= stepsAtOncePerKey).Select(pair => pair.Key)];
            }
        }
    }

    /// <summary>Whether an offer was dropped since this was last asked.</summary>
    public bool Dropped
    {
        get
        {
            lock (_gate)
            {
                var dropped = _dropped;
                _dropped = false;
                return dropped;
            }
        }
    }

    /// <summary>Notes that a row may have something to do.</summary>
    public void Offer(WorkItem item)
    {
        lock (_gate)
        {
            if (_running.TryGetValue(item.Id, out var running))
            {
                running.Again |= item.Nudged;
            }
            else if (_waitingById.TryGetValue(item.Id, out var waiting))
            {
                waiting.Value = waiting.Value with { Nudged = waiting.Value.Nudged || item.Nudged };
            }
            else if (_waitingById.Count < WaitingMax)
            {
                _waitingById.Add(item.Id, _waiting.AddLast(item));
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
            for (var node = _waiting.First; node is not null && _running.Count < stepsAtOnce; node = node.Next)
            {
                item = node.Value;
                if (item.Key is not null && !HasSlot(item.Key))
                {
                    continue;
                }

                _waiting.Remove(node);
                _waitingById.Remove(item.Id);
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

            if (!HasSlot(key))
            {
                return false;
            }

            Leave(running);
            Enter(id, key);
            return true;
        }
    }

    /// <summary>Ends a run. The item waits again if it was nudged meanwhile or <paramref name="again"/> says
    /// so.</summary>
    public void Finish(string id, WorkItem? again)
    {
        lock (_gate)
        {
            _running.Remove(id, out var running);
            var key = again?.Key ?? running!.Key;
            Leave(running!);
            if (running!.Again)
            {
                Offer(new WorkItem(id, true, key));
            }
            else if (again is { } item)
            {
                Offer(item);
            }
        }
    }

    private bool HasSlot(string key) => _runningByKey.GetValueOrDefault(key) < stepsAtOncePerKey;

    private void Enter(string id, string key)
    {
        _running[id].Key = key;
        _runningByKey[key] = _runningByKey.GetValueOrDefault(key) + 1;
    }

    private void Leave(Running running)
    {
        if (running.Key is { } key)
        {
            running.Key = null;
            if (--_runningByKey[key] == 0)
            {
                _runningByKey.Remove(key);
            }
        }
    }

    private sealed class Running
    {
        public string? Key { get; set; }

        public bool Again { get; set; }
    }
}
