using System.Linq.Expressions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Cloud.ServiceDefaults.Supervision;

/// <summary>
/// The loop that makes rows come true, one per noun and process. This comment is the architecture of the control plane.
/// <para><b>What it does.</b> A row is due when it is not at rest and <c>next_attempt_at</c> has come, or when
/// somebody nudged it. For a due row a worker takes a <i>turn</i>: it takes the lease <c>noun:id</c> in Redis (tries
/// once), claims the row in PostgreSQL (<c>epoch + 1</c>, fresh row back), looks up the rule of its state and runs the
/// rule's step. The step looks at the world, does what is missing and answers <c>Go(next)</c> or <c>Wait(why,
/// after)</c>. The answer is saved by one statement that writes row and event together and only if version and epoch
/// are still those that were read. After <c>Go</c> the worker goes on with the next state while its lease holds; after
/// <c>Wait</c> it lets go.</para>
/// <para><b>Terms.</b> <i>version</i>: grows with every visible change; a request verb changes the row under a running
/// step, and the step's save then loses. <i>epoch</i>: grows with every claim and is written into every outside
/// object; a worker that slept through its lease finds its saves refused here and its writes refused there.
/// <i>lease</i>: politeness, it keeps two workers from doing the same work at once. <i>nudge</i>: a hint that may be
/// lost, doubled or late; it reaches every replica, one takes the row, and the others do nothing: the row remembers
/// when it was last looked at (<c>looked_at</c>), and a nudge heard before that is served. <i>sweep</i>: the slow look
/// through the due index that finds what lost nudges left behind.</para>
/// <para><b>Whose turn.</b> The longest due, with a head start per point of priority: as that is a moment, nothing
/// starves. A nudged row counts from its nudge until a look, at most a second later, tells its rank. Slots are bounded
/// in all and per bulkhead key; rows of a full key are set aside; a key whose target failed has one slot until the
/// target answers, so that many dead targets do not take them all.</para>
/// <para><b>Guarantees.</b> (1) Of workers that run the same row at once, at most one saves. (2) State, version and
/// event are written together or not at all. (3) A nudge that comes while the row is in its step, in whichever
/// process, is remembered and the row is looked at once more. (4) A row that is not at rest is looked at again: after
/// its time, after a nudge, after a crash. (5) A failure is recorded with its code before the row is tried again, with
/// doubling waits up to five minutes, or as long as the outside asked to be left alone; a hopeless one, or one past
/// <c>GiveUpAfter</c> (our own downtime not counted), ends in the rule's failed state with the reason. (6) At rest
/// costs nothing: no task, no timer, no query per row. (7) No answer of PostgreSQL or Redis ends the process.</para>
/// <para><b>Not guaranteed.</b> A step can run twice, and two workers can run it at once (Redis away, a paused
/// process). Steps must therefore ensure rather than do, and give outside objects derived names and the epoch.</para>
/// <para><b>What each crash point costs.</b> A lease outlives its worker by 10 s (<see cref="Leases.Expiry"/>).
/// <i>After the commit of a request, before its nudge</i>: 2 s; the other replicas were told that a commit comes (<see
/// cref="CommitHints"/>) and look. <i>Before the lease</i>: nothing; the other replicas heard the nudge too. <i>After
/// the lease, before the claim</i>: the lease; the row is due, or whoever was refused the lease asks after the nudge
/// then. <i>After the claim, in the step, before the save</i>: the lease; the claim has made the row due, so that no
/// nudge is lost, and the step runs again and finds what it did. <i>After the save, before telling</i>: what others
/// must see of it (the feed, and by it the nudge to its parent in another service) comes 2 s later, by the same hint;
/// the nudge to another service's row that waits for the place or room given free is lost, and that row waits for its
/// own time. <i>After telling, before the release</i>: the lease, if the row has a next step. Replicas look at the
/// table after a hint, after a refused lease, when the next row becomes due, and at the latest at the sweep (60 s):
/// that is what a crash costs when the hint was lost with Redis.</para>
/// <para><b>What failures cost.</b> <i>Redis away</i>: the claim in PostgreSQL stands in for the lease (a row claimed
/// by another worker is left alone until that claim runs out), nudges between processes wait for the sweep; nothing is
/// lost. <i>Lease lost in a step</i>: the step is cancelled and the row looked at again. <i>PostgreSQL away, or
/// refusing</i>: turns end without a trace, the loop pauses, doubling to 15 s, and goes on by itself; the health says
/// so, the log once. <i>A row that cannot be claimed, read or saved</i>: noted in it as a failure of its step would be,
/// with the same waits; where not even that can be written, as PostgreSQL refusing. <i>Clock skew</i> between
/// processes: rows become due early or late by as much, and a nudge is served twice, or, if who served it died, at the
/// row's own time; nothing depends on it for safety. <i>Newer replicas</i> in a rolling upgrade: rows in states that
/// this code does not know are left to them. <i>Stop</i>: no new turns; steps are cancelled and waited for; a turn that
/// is at another place, claiming or saving, finishes that, so that the result of a step that has ended is kept; claims
/// are given back and the rows nudged, so another replica goes on at once. PostgreSQL has two seconds for it: what it
/// does not take by then is left as by a crash, but for the lease and the nudge. <i>kill -9</i>: as a crash.</para>
/// </summary>
public sealed class Supervisor<TRow, TState> : BackgroundService
    where TRow : SupervisedRow<TState>
    where TState : struct, Enum
{
    /// <summary>Most rows fetched by one look at the table.</summary>
    public const int RowsPerLookMax = 256;

    /// <summary>Shortest time between two looks for the sake of rows that become due one after the other.</summary>
    private static readonly TimeSpan LookSlack = TimeSpan.FromMilliseconds(100);

    /// <summary>How often nudged rows that wait for a slot are looked up, so that urgent ones overtake.</summary>
    private static readonly TimeSpan RankEvery = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan PauseFirst = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan PauseLongest = TimeSpan.FromSeconds(15);
    private const int SecondsPerPriority = 10;

    private readonly SupervisedStore<TRow, TState> _store;
    private readonly IRules<TRow, TState> _rules;
    private readonly INudges _nudges;
    private readonly SchemaGate _schema;
    private readonly TimeProvider _time;
    private readonly ILogger<Supervisor<TRow, TState>> _logger;
    private readonly SupervisorOptions<TRow> _options;
    private readonly Turn<TRow, TState> _turn;
    private readonly WorkQueue _queue;
    private readonly UnansweredNudges _unanswered = new();
    private readonly LoopPause _pause;
    private readonly SupervisionMeter _meter;
    private readonly CommitHints _hints;
    private readonly Pulse _pulse;
    private readonly IReadOnlyList<string> _working;
    private readonly string _orderBy;
    private readonly string? _keyColumn;
    private readonly Func<TRow, string?>? _keyOf;
    private readonly Lock _gate = new();
    private readonly HashSet<Task> _turns = [];
    private DateTimeOffset _lookAt;
    private DateTimeOffset _lookedAt;
    private bool _mayBeMore;

    /// <summary>Made by <see cref="SupervisionServices.AddSupervisor{TRow,TState,TStore,TRules}"/>.</summary>
    public Supervisor(
        SupervisedStore<TRow, TState> store,
        IRules<TRow, TState> rules,
        Leases leases,
        INudges nudges,
        Checkpoints checkpoints,
        SupervisionMeter meter,
        LoopHealth health,
        CommitHints hints,
        SchemaGate schema,
        TimeProvider time,
        IOptions<SupervisorOptions<TRow>> options,
        ILogger<Supervisor<TRow, TState>> logger)
    {
        (_store, _rules, _nudges, _schema, _time, _logger) = (store, rules, nudges, schema, time, logger);
        (_meter, _hints) = (meter, hints);
        _working = SupervisionServices.StatesWithStep(rules);
        meter.Watch(new DueRows(store.Noun, _working, store.CountDueAsync, time, logger));
        _pause = new LoopPause(store.Noun, PauseFirst, PauseLongest, health, time, logger);
        _options = options.Value;
        _turn = new Turn<TRow, TState>(store, rules, leases, nudges, checkpoints, meter, time, logger);
        _queue = new WorkQueue(_options.StepsAtOnce, _options.StepsAtOncePerKey);
        _pulse = new Pulse(time);
        _orderBy = OrderBy(rules);
        _keyOf = _options.BulkheadBy?.Compile();
        _keyColumn = _options.BulkheadBy is { } by ? ColumnOf(by) : null;
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _pulse.Dispose();
        base.Dispose();
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await _schema.ReadyAsync(stoppingToken);
            await RunAsync(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopped, which the host takes for a failure of a loop when it happens while the service still starts.
        }
        finally
        {
            await WaitForTurnsAsync();
        }
    }

    private async Task RunAsync(CancellationToken stopping)
    {
        using var hearing = _nudges.Subscribe(_store.Noun, Hear);
        using var hints = _hints.Subscribe(HearHint);
        var forgotten = true;
        _turn.WorksSince = _store.Now;
        while (true)
        {
            try
            {
                if (!_pause.IsActive)
                {
                    await StartWhatIsDueAsync(stopping);
                    if (forgotten)
                    {
                        await WakeForgottenAsync(stopping);
                        forgotten = false;
                    }

                    if (_pause.EndIfOver())
                    {
                        _turn.WorksSince = _store.Now;
                    }
                }
            }
            catch (Exception e) when (!e.IsStop(stopping))
            {
                PauseFor(e);
            }

            _pulse.RaiseBy(NextLook());
            await _pulse.WaitAsync(stopping);
        }
    }

    private void Hear(string? id)
    {
        if (id is null)
        {
            LookAt(_time.GetUtcNow());
        }
        else
        {
            _queue.Offer(WorkItem.Nudged(id, _store.Now));
            _meter.NudgeHeard(_store.Noun);
        }

        _pulse.Raise();
    }

    private void HearHint()
    {
        LookAt(_hints.LookAt);
        _pulse.RaiseBy(_hints.LookAt);
    }

    private async Task WakeForgottenAsync(CancellationToken ct)
    {
        var woken = await _store.WakeForgottenAsync(_working, ct);
        if (woken > 0)
        {
            _logger.LogInformation("Waking {Count} {Noun} rows whose states have learned a step", woken, _store.Noun);
            LookAt(_time.GetUtcNow());
            _pulse.Raise();
        }
    }

    private async Task StartWhatIsDueAsync(CancellationToken stopping)
    {
        StartTurns(stopping);
        while (!_pause.IsActive && MustLook())
        {
            await LookAsync(stopping);
            StartTurns(stopping);
        }
    }

    /// <summary>A look whose time has come is taken even when no slot is free: a stream of nudges that takes them all
    /// must not hide the rows that nobody nudges.</summary>
    private bool MustLook()
    {
        var now = _time.GetUtcNow();
        lock (_gate)
        {
            _mayBeMore |= _queue.TakeDropped();
            var rank = _lookedAt + RankEvery <= now && _queue.HasUnranked;
            return _lookAt <= now || rank || _mayBeMore && _queue.ReadyCount < RowsPerLookMax;
        }
    }

    /// <summary>One look at the table: due rows into the queue, and the time of the next look.</summary>
    private async Task LookAsync(CancellationToken ct)
    {
        lock (_gate)
        {
            // Set before the query, so that whatever becomes due while it runs can only bring the next look forward.
            _lookedAt = _time.GetUtcNow();
            _lookAt = _hints.LookAt > _lookedAt ? _hints.LookAt : _lookedAt + _options.Sweep;
            _mayBeMore = false;
        }

        var due = await _store.DueAsync(
            new DueQuery(_orderBy, _queue.KnownIds, _keyColumn, _queue.FullKeys, RowsPerLookMax), ct);
        foreach (var row in due)
        {
            _queue.Offer(new WorkItem(row.Id, RankOf(row), true, null, row.Key));
        }

        lock (_gate)
        {
            // What full keys held back is looked for when one of them has room: a turn's end says so.
            _mayBeMore |= due.Count == RowsPerLookMax;
        }

        await AskAboutNudgesAsync(ct);
        LookAt(_unanswered.NextAt);
        if (due.Count < RowsPerLookMax && await _store.NextDueAsync(ct) is { } next)
        {
            var soonest = _time.GetUtcNow() + LookSlack;
            LookAt(next > soonest ? next : soonest);
        }
    }

    /// <summary>Nudged rows that another worker held then and nobody has looked at since.</summary>
    private async Task AskAboutNudgesAsync(CancellationToken ct)
    {
        var nudges = _unanswered.TakeDue(_time.GetUtcNow());
        if (nudges.Count == 0)
        {
            return;
        }

        foreach (var (id, heardAt) in await _store.UnansweredAsync(nudges, ct))
        {
            _queue.Offer(WorkItem.Nudged(id, heardAt));
        }
    }

    private DateTimeOffset RankOf(DueRow<TState> row) =>
        row.NextAttemptAt - TimeSpan.FromSeconds(_rules.For(row.State).Priority * SecondsPerPriority);

    private void StartTurns(CancellationToken stopping)
    {
        while (!_pause.IsActive && _queue.TryTake(out var item))
        {
            var taken = item;
            var turn = Task.Run(() => TakeTurnAsync(taken, stopping), stopping);
            lock (_gate)
            {
                _turns.Add(turn);
            }

            _ = turn.ContinueWith(Ended, default, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }

        void Ended(Task turn)
        {
            lock (_gate)
            {
                _turns.Remove(turn);
            }
        }
    }

    private async Task TakeTurnAsync(WorkItem item, CancellationToken stopping)
    {
        RequestContext.Current = new RequestContext(RequestContext.SupervisorActor, null, _store.NameOf(item.Id));
        var end = default(TurnEnd);
        try
        {
            end = await _turn.TakeAsync(item, Enter, stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Stopping; the row is due in PostgreSQL and another replica goes on.
        }
        catch (Exception e) when (DatabaseTrouble.IsAway(e))
        {
            PauseFor(e);
            end = new TurnEnd(Again: item);
        }
        catch (Exception e)
        {
            _logger.LogError(e, "Losing a turn of {Noun} {Id}", _store.Noun, item.Id);
            end = await SetAsideAsync(item, e, stopping);
        }

        if (end.HeldByOther)
        {
            LookAfterOther(item);
        }

        var keyHasRoom = _queue.Finish(item.Id, end.Again, end.TargetFailed);
        lock (_gate)
        {
            _mayBeMore |= keyHasRoom;
        }

        LookAt(end.LookAt ?? DateTimeOffset.MaxValue);
        _pulse.Raise();
    }

    /// <summary>A turn failed outside its step: the trouble is the row's if that can be noted in it, and the loop's
    /// if not.</summary>
    private async Task<TurnEnd> SetAsideAsync(WorkItem item, Exception reason, CancellationToken stopping)
    {
        try
        {
            var next = await _store.SetAsideAsync(
                item.Id, Turn<TRow, TState>.Worker, Failure.Of(reason), stopping);
            return new TurnEnd(LookAt: next, HeldByOther: next is null);
        }
        catch (Exception e) when (e is NpgsqlException or TimeoutException && !stopping.IsCancellationRequested)
        {
            _logger.LogWarning("{Noun} {Id} cannot be set aside either: {Reason}", _store.Noun, item.Id, e.Message);
            PauseFor(reason);
            return new TurnEnd(Again: item);
        }
        catch (Exception e)
        {
            // Stopping, or worse: the row is left as by a worker that died.
            _logger.LogInformation("Leaving {Noun} {Id} as it is: {Reason}", _store.Noun, item.Id, e.Message);
            return new TurnEnd(HeldByOther: true);
        }
    }

    /// <summary>Another worker has the row and sees to it, unless it died: look once its lease must have run
    /// out.</summary>
    private void LookAfterOther(WorkItem item)
    {
        var ranOut = _time.GetUtcNow() + Leases.Expiry;
        if (item.HeardAt is { } heardAt)
        {
            _unanswered.Keep(item.Id, heardAt, ranOut);
        }

        LookAt(ranOut);
    }

    /// <summary>A slot of a bulkhead key: null when the row may run, its key when there is none left.</summary>
    private string? Enter(TRow row) =>
        _keyOf?.Invoke(row) is { } key && !_queue.TryEnter(row.Id, key) ? key : null;

    private void LookAt(DateTimeOffset moment)
    {
        lock (_gate)
        {
            _lookAt = moment < _lookAt ? moment : _lookAt;
        }
    }

    /// <summary>When the loop wakes by itself.</summary>
    private DateTimeOffset NextLook()
    {
        lock (_gate)
        {
            var next = _queue.HasUnranked && _lookedAt + RankEvery < _lookAt ? _lookedAt + RankEvery : _lookAt;
            return _pause.Until > next ? _pause.Until : next;
        }
    }

    private void PauseFor(Exception reason)
    {
        _pause.Begin(reason);
        LookAt(_pause.Until);
    }

    private async Task WaitForTurnsAsync()
    {
        Task[] turns;
        lock (_gate)
        {
            turns = [.. _turns];
        }

        try
        {
            await Task.WhenAll(turns).WaitAsync(_options.StopWait, _time);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            _logger.LogWarning("Stopping {Noun} with {Count} steps that do not end", _store.Noun, turns.Length);
        }
    }

    /// <summary>Who goes first: the longest due, with a head start per point of priority.</summary>
    internal static string OrderBy(IRules<TRow, TState> rules)
    {
        var urgent = Enum.GetValues<TState>().Where(s => rules.For(s).Priority != 0).ToArray();
        if (urgent.Length == 0)
        {
            return "next_attempt_at";
        }

        var cases = urgent.Select(s =>
            $"WHEN '{StateNames<TState>.Of(s)}' THEN interval '{rules.For(s).Priority * SecondsPerPriority} s'");
        return $"next_attempt_at - CASE state {string.Join(' ', cases)} ELSE interval '0 s' END";
    }

    internal static string ColumnOf(Expression<Func<TRow, string?>> property) =>
        property.Body is MemberExpression { Member.Name: { } name }
            ? ColumnValues.NameOf(name)
            : throw new ArgumentException("BulkheadBy must be a plain property, like row => row.ClusterId.");
}
