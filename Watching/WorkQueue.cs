using System.Threading.Channels;

namespace Cloud.Watching;

/// <summary>Keys that need work, handed to workers one key at a time.</summary>
/// <remarks>
/// Guarantees: a key is with at most one worker; adding a key that waits does nothing, adding one that is being worked
/// on brings it back when its worker is done, so no change is missed and none is worked on twice. A delayed add is an
/// alarm: the earliest per key counts, and taking the key clears it, because the pass that follows decides anew.
/// Failures: the queue lives in memory; after a restart the first list of the caches fills it again.
/// </remarks>
public sealed class WorkQueue<TKey> : IDisposable
    where TKey : notnull
{
    private readonly Lock _gate = new();
    private readonly Channel<TKey> _ready = Channel.CreateUnbounded<TKey>();
    private readonly HashSet<TKey> _dirty = [];
    private readonly HashSet<TKey> _processing = [];
    private readonly Dictionary<TKey, int> _failures = [];
    private readonly Dictionary<TKey, long> _alarms = [];
    private readonly PriorityQueue<TKey, long> _byTime = new();
    private readonly TimeProvider _time;
    private readonly Backoff _backoff;
    private readonly ITimer _timer;

    /// <param name="backoff">Waits of <see cref="Retry"/>; null for 0.5 s doubling to 5 min.</param>
    public WorkQueue(TimeProvider time, Backoff? backoff = null)
    {
        _time = time;
        _backoff = backoff ?? new Backoff(TimeSpan.FromSeconds(0.5), TimeSpan.FromMinutes(5));
        _timer = time.CreateTimer(_ => Ring(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Keys that wait for a worker, without those whose alarm has not rung.</summary>
    public int Depth
    {
        get
        {
            lock (_gate)
            {
                return _dirty.Count;
            }
        }
    }

    /// <summary>Asks for work on a key as soon as a worker is free.</summary>
    public void Add(TKey key)
    {
        lock (_gate)
        {
            AddLocked(key);
        }
    }

    /// <summary>Asks for work on a key after a delay, unless it is worked on before.</summary>
    public void AddAfter(TKey key, TimeSpan delay)
    {
        lock (_gate)
        {
            if (delay <= TimeSpan.Zero)
            {
                AddLocked(key);
                return;
            }

            var due = _time.GetUtcNow().Ticks + delay.Ticks;
            if (_alarms.TryGetValue(key, out var earlier) && earlier <= due)
            {
                return;
            }

            _alarms[key] = due;
            _byTime.Enqueue(key, due);
            SetTimer();
        }
    }

    /// <summary>
    /// Asks for work on a key after a wait that grows with each call since the last <see cref="Forget"/>.
    /// </summary>
    /// <param name="atLeast">Shortest wait, such as the server's Retry-After.</param>
    /// <returns>The wait.</returns>
    public TimeSpan Retry(TKey key, TimeSpan? atLeast = null)
    {
        TimeSpan wait;
        lock (_gate)
        {
            var failures = _failures[key] = _failures.GetValueOrDefault(key) + 1;
            wait = _backoff.After(failures);
        }

        wait = atLeast > wait ? atLeast.Value : wait;
        AddAfter(key, wait);
        return wait;
    }

    /// <summary>Clears the failures of a key: its next <see cref="Retry"/> waits the shortest time again.</summary>
    public void Forget(TKey key)
    {
        lock (_gate)
        {
            _failures.Remove(key);
        }
    }

    /// <summary>Waits for a key. The caller must give it back with <see cref="Done"/>.</summary>
    public async ValueTask<TKey> Take(CancellationToken cancellation)
    {
        var key = await _ready.Reader.ReadAsync(cancellation);
        lock (_gate)
        {
            _dirty.Remove(key);
            _processing.Add(key);
            _alarms.Remove(key);
        }

        return key;
    }

    /// <summary>Gives a key back; it returns at once when it was added in the meantime.</summary>
    public void Done(TKey key)
    {
        lock (_gate)
        {
            _processing.Remove(key);
            if (_dirty.Contains(key))
            {
                _ready.Writer.TryWrite(key);
            }
        }
    }

    private void AddLocked(TKey key)
    {
        if (_dirty.Add(key) && !_processing.Contains(key))
        {
            _ready.Writer.TryWrite(key);
        }
    }

    private void Ring()
    {
        lock (_gate)
        {
            var now = _time.GetUtcNow().Ticks;
            while (_byTime.TryPeek(out var key, out var due) && due <= now)
            {
                _byTime.Dequeue();
                if (_alarms.TryGetValue(key, out var set) && set == due)
                {
                    _alarms.Remove(key);
                    AddLocked(key);
                }
            }

            SetTimer();
        }
    }

    private void SetTimer()
    {
        // Alarms that were cleared or moved stay in the heap until they come up; they must not wake anybody.
        while (_byTime.TryPeek(out var key, out var due))
        {
            if (_alarms.TryGetValue(key, out var set) && set == due)
            {
                var wait = TimeSpan.FromTicks(Math.Max(0, due - _time.GetUtcNow().Ticks));
                _timer.Change(wait + TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan);
                return;
            }

            _byTime.Dequeue();
        }

        _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Dispose() => _timer.Dispose();
}
