using System.Threading.Channels;
using Cloud.Simulator.ApiServers;

namespace Cloud.Simulator.Controllers;

/// <summary>
/// The one thread of thought of a cluster's controllers: takes in news, then works off keys, one at a time.
/// </summary>
/// <remarks>
/// Guarantees: callbacks and reconciliations never overlap, so controllers need no locks; a key asked for any number
/// of times waits in the queue once; news is taken in before each key, so a key is worked on with the newest picture;
/// with nothing to do and no timer due it costs nothing. Time comes from the given clock alone.
/// Failures: a controller that throws has its key retried with growing delay, without end, and harms no other key.
/// What takes time (a database, a process) runs elsewhere and reports back through <see cref="Post"/>.
/// </remarks>
internal sealed class ControllerLoop(TimeProvider clock, ILogger logger) : IAsyncDisposable
{
    /// <summary>After how many keys the loop lets other work of the process have the thread.</summary>
    private const int KeysPerTurn = 32;

    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(30);

    private readonly Channel<Action> _inbox = Channel.CreateUnbounded<Action>();
    private readonly Queue<WorkItem>[] _lanes = [new(), new(), new()];
    private readonly HashSet<WorkItem> _queued = [];
    private readonly Dictionary<WorkItem, int> _failures = [];
    private readonly Dictionary<WorkItem, DateTimeOffset> _due = [];
    private readonly PriorityQueue<WorkItem, DateTimeOffset> _later = new();
    private readonly List<TaskCompletionSource> _idleWaiters = [];
    private ITimer? _timer;
    private DateTimeOffset? _timerDue;
    private int _outside;

    /// <summary>The clock of everything in this cluster.</summary>
    public TimeProvider Clock => clock;

    public DateTimeOffset Now => clock.GetUtcNow();

    /// <summary>Runs something on the loop soon. From any thread.</summary>
    public void Post(Action work) => _inbox.Writer.TryWrite(work);

    /// <summary>Queues a key unless it waits already. From the loop only.</summary>
    public void Enqueue(IController controller, ObjectKey key)
    {
        var item = new WorkItem(controller, key);
        if (_queued.Add(item)) _lanes[(int)controller.Lane].Enqueue(item);
    }

    /// <summary>Queues a key after a delay; of several delays the earliest counts. From the loop only.</summary>
    public void EnqueueAfter(IController controller, ObjectKey key, TimeSpan delay)
    {
        if (delay <= TimeSpan.Zero)
        {
            Enqueue(controller, key);
            return;
        }
        var item = new WorkItem(controller, key);
        var due = Now + delay;
        if (_due.TryGetValue(item, out var known) && known <= due) return;
        _due[item] = due;
        _later.Enqueue(item, due);
        SetTimer();
    }

    /// <summary>
    /// Notes that work outside the loop has begun; it ends with <see cref="OutsideEnded"/>. From the loop.
    /// </summary>
    public void OutsideBegun() => _outside++;

    /// <summary>Notes that work outside the loop is over and its outcome taken in. From the loop.</summary>
    public void OutsideEnded() => _outside--;

    /// <summary>
    /// Completes when there is nothing left to do until the clock moves or something new happens; tells when the
    /// next timer is due (null: none).
    /// </summary>
    public async Task<DateTimeOffset?> IdleAsync(CancellationToken ct)
    {
        var waiter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        DateTimeOffset? due = null;
        Post(() =>
        {
            if (IsIdle) waiter.TrySetResult();
            else _idleWaiters.Add(waiter);
        });
        await waiter.Task.WaitAsync(ct);
        var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(() =>
        {
            due = _timerDue;
            answer.TrySetResult();
        });
        await answer.Task.WaitAsync(ct);
        return due;
    }

    /// <summary>Works until cancelled.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        try
        {
            while (await _inbox.Reader.WaitToReadAsync(ct))
            {
                await WorkOffAsync(ct);
                if (!IsIdle) continue;
                foreach (var waiter in _idleWaiters) waiter.TrySetResult();
                _idleWaiters.Clear();
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // Stopping: what is queued is found again from the objects themselves at the next start.
        }
    }

    public async ValueTask DisposeAsync()
    {
        _inbox.Writer.TryComplete();
        if (_timer is not null) await _timer.DisposeAsync();
    }

    private bool IsIdle => _queued.Count == 0 && _outside == 0 && !_inbox.Reader.TryPeek(out _);

    private async Task WorkOffAsync(CancellationToken ct)
    {
        for (var turn = 1; ; turn++)
        {
            while (_inbox.Reader.TryRead(out var news)) TakeIn(news);
            if (!TryDequeue(out var item)) return;
            Reconcile(item);
            ct.ThrowIfCancellationRequested();
            if (turn % KeysPerTurn == 0) await Task.Yield();
        }
    }

    private void TakeIn(Action news)
    {
        try
        {
            news();
        }
        catch (Exception problem)
        {
            logger.LogError(problem, "Failed to take in a change; the next change of the same object repairs it");
        }
    }

    private void Reconcile(WorkItem item)
    {
        try
        {
            item.Controller.Reconcile(item.Key);
            _failures.Remove(item);
        }
        catch (Exception problem)
        {
            var failures = _failures[item] = _failures.GetValueOrDefault(item) + 1;
            var grown = FirstRetry * Math.Pow(2, Math.Min(failures - 1, 20));
            var delay = grown < LongestRetry ? grown : LongestRetry;
            var expected = problem is ApiException { Code: 404 or 409 };
            logger.Log(expected ? LogLevel.Debug : LogLevel.Warning, problem,
                "{Controller} failed on {Key}, attempt {Attempt}; retrying in {Delay}",
                item.Controller.GetType().Name, item.Key, failures, delay);
            EnqueueAfter(item.Controller, item.Key, delay);
        }
    }

    private bool TryDequeue(out WorkItem item)
    {
        foreach (var lane in _lanes)
        {
            if (!lane.TryDequeue(out item)) continue;
            _queued.Remove(item);
            return true;
        }
        item = default;
        return false;
    }

    private void SetTimer()
    {
        if (!_later.TryPeek(out _, out var due)) return;
        if (_timerDue is { } set && set <= due) return;
        _timerDue = due;
        _timer ??= clock.CreateTimer(_ => Post(OnTimer), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        var wait = due - Now;
        _timer.Change(wait > TimeSpan.Zero ? wait : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }

    private void OnTimer()
    {
        _timerDue = null;
        while (_later.TryPeek(out var item, out var due) && due <= Now)
        {
            _later.Dequeue();
            if (!_due.TryGetValue(item, out var wanted) || wanted != due) continue;
            _due.Remove(item);
            Enqueue(item.Controller, item.Key);
        }
        SetTimer();
    }

    private readonly record struct WorkItem(IController Controller, ObjectKey Key);
}
