using Grpc.Core;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>
/// Numbers this service's events and delivers them. Every process does both, for what it wrote itself and what others
/// left behind; processes take turns on advisory locks in PostgreSQL, so no leader is elected and Redis is not needed.
/// <para>Guarantees: sequences have no gaps; events of one resource keep their order; every committed event is
/// delivered at least once, in the order of sequence, and taken in once (the receiver skips what it knows). Of an event
/// whose writer died before it could say so, the parent is told here (<see cref="UntoldParents"/>), so that what waits
/// in another service waits for the feed and not for its timer.</para>
/// <para>A process that stops sends what is there when its work has ended. Crash after the commit, before the
/// numbering or delivery: the other processes were told that a commit comes (<see cref="CommitHints"/>) and take the
/// events along two seconds later; if that was lost with Redis, at the sweep. Crash after delivery, before the mark:
/// they are sent again and skipped. Receiver away: retried with doubling waits up to 30 s, without holding the lock;
/// watchers are not affected, numbering is a loop of its own. Receiver knows less than was delivered (it was restored
/// from a backup): delivery goes back to where it says; what is no longer kept here stays a hole in its feed. This
/// database restored from a backup: the receiver finds known sequences with other events and begins a generation of
/// this source; it is noted here, so that positions of before are too old for watchers.</para>
/// </summary>
internal sealed class OutboxDelivery : BackgroundService, IHostedLifecycleService
{
    /// <summary>Events per delivery; the receiver takes at most 500.</summary>
    public const int EventsPerDeliveryMax = 200;

    /// <summary>From the end of one pass to the next: under load, what was written meanwhile goes along in one pass. In
    /// real time whatever clock the rest goes by, as it bounds work and not when something happens.</summary>
    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(10);

    private static readonly TimeSpan Sweep = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan RetryFirst = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan RetryLongest = TimeSpan.FromSeconds(30);

    /// <summary>How long the last delivery of a stopping process may take.</summary>
    private static readonly TimeSpan FlushWithin = TimeSpan.FromSeconds(3);

    private readonly OutboxStore _outbox;
    private readonly OutboxSignal _signal;
    private readonly INudges _nudges;
    private readonly UntoldParents _untold;
    private readonly IEventSink? _sink;
    private readonly SchemaGate _schema;
    private readonly ServiceIdentity _service;
    private readonly TimeProvider _time;
    private readonly ILogger<OutboxDelivery> _logger;
    private readonly StorageMeter _meter;
    private readonly CommitHints _hints;
    private readonly LoopHealth _health;
    private readonly Pulse _numbered;

    public OutboxDelivery(
        OutboxStore outbox,
        OutboxSignal signal,
        INudges nudges,
        UntoldParents untold,
        SchemaGate schema,
        ServiceIdentity service,
        StorageMeter meter,
        CommitHints hints,
        LoopHealth health,
        TimeProvider time,
        ILogger<OutboxDelivery> logger,
        IEventSink? sink = null)
    {
        (_outbox, _signal, _nudges, _untold, _sink, _schema) = (outbox, signal, nudges, untold, sink, schema);
        (_service, _meter, _hints, _health, _time, _logger) = (service, meter, hints, health, time, logger);
        _numbered = new Pulse(time);
    }

    public override void Dispose()
    {
        _numbered.Dispose();
        base.Dispose();
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>When requests and steps have ended: sends what their last commits left, so that readers of the feed
    /// need not wait for another process's sweep.</summary>
    public async Task StoppedAsync(CancellationToken cancellationToken)
    {
        if (!_schema.IsReady)
        {
            return;
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(FlushWithin);
        try
        {
            await NumberAllAsync(limit.Token);
            await TellAsync(_untold.TakeThose(before: DateTimeOffset.MaxValue), limit.Token);
            await DeliverAllAsync(limit.Token);
        }
        catch (Exception e) when (
            e is OperationCanceledException or RpcException or NpgsqlException or TimeoutException
                or ObjectDisposedException) // a host that is stopped by two at once, as a test's is
        {
            _logger.LogInformation("Leaving events to another process: {Reason}", e.Message);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await _schema.ReadyAsync(stoppingToken);
        await Task.WhenAll(
            LoopAsync("numbering", _signal.Written, NumberAllAsync, stoppingToken),
            LoopAsync("delivery", _numbered, DeliverAllAsync, stoppingToken));
    }

    /// <summary>Runs a job whenever its pulse is raised, a moment after somebody was about to commit, and at every
    /// sweep; pauses while it fails.</summary>
    private async Task LoopAsync(string job, Pulse pulse, Func<CancellationToken, Task> run, CancellationToken ct)
    {
        var pause = new LoopPause($"outbox {job}", RetryFirst, RetryLongest, _health, _time, _logger);
        using var hints = _hints.Subscribe(() => pulse.RaiseBy(_hints.LookAt));
        while (true)
        {
            try
            {
                await run(ct);
                pause.End();
            }
            catch (RpcException e) when (ct.IsCancellationRequested)
            {
                // A call that was cut says so in its own words; unheard, they would end the process as a crash.
                throw new OperationCanceledException("The service stops.", e, ct);
            }
            catch (Exception e) when (!e.IsStop(ct))
            {
                await Task.Delay(pause.Begin(e), _time, ct);
                continue;
            }

            var now = _time.GetUtcNow();
            pulse.RaiseBy(_hints.LookAt > now ? _hints.LookAt : now + Sweep);
            await Task.Delay(Gathering, TimeProvider.System, ct);
            await pulse.WaitAsync(ct);
        }
    }

    private async Task NumberAllAsync(CancellationToken ct)
    {
        Numbered numbered;
        do
        {
            numbered = await _outbox.NumberAsync(ct);
            foreach (var type in numbered.Types)
            {
                await _nudges.SendAsync(new Nudge(ChangeFeed.NounOf(type), ""), ct);
            }

            foreach (var served in numbered.Served)
            {
                _untold.Keep(served);
            }

            await TellAsync(_untold.TakeThose(before: _time.GetUtcNow() - UntoldParents.ToldWithin), ct);

            if (numbered.Count > 0)
            {
                _meter.Numbered(numbered.Count, _time.GetUtcNow());
                _numbered.Raise();
            }
        }
        while (numbered.Count == OutboxStore.NumberedAtOnceMax);
    }

    private async Task TellAsync(IReadOnlyList<Nudge> parents, CancellationToken ct)
    {
        foreach (var parent in parents)
        {
            await _nudges.SendAsync(parent, ct);
        }
    }

    private async Task DeliverAllAsync(CancellationToken ct)
    {
        if (_sink is null)
        {
            return;
        }

        await using var turn = await _outbox.DeliveryTurnAsync(ct);
        var progress = await _outbox.ProgressAsync(ct);
        var delivered = progress.DeliveredThrough;
        IReadOnlyList<StoredEvent> events;
        do
        {
            events = await _outbox.ReadAsync(delivered, EventsPerDeliveryMax, ct);
            if (events.Count == 0)
            {
                break;
            }

            _meter.Delivering(progress.LastSequence - delivered, events[0].Event.OccurredAt);
            var (known, generation) = await _sink.AppendAsync(_service.Name, events, progress.PrunedThrough, ct);
            if (generation > progress.Generation)
            {
                progress = await BeginGenerationAsync(progress, generation.Value, ct);
            }

            // A receiver that knows more than was sent knows a history from which this database was restored: what
            // comes next here has those numbers too, and only by getting it can the receiver tell.
            delivered = known >= delivered
                ? await MarkAsync(Math.Min(known, events[^1].Sequence), ct)
                : await RewindAsync(known, progress.PrunedThrough, ct);
        }
        while (events.Count == EventsPerDeliveryMax || delivered < events[^1].Sequence);

        _meter.Delivered();
    }

    private async Task<OutboxProgress> BeginGenerationAsync(
        OutboxProgress progress, long generation, CancellationToken ct)
    {
        _logger.LogWarning(
            "Beginning generation {Generation} of the feed: this database was restored from an older backup",
            generation);
        await _outbox.BeginGenerationAsync(generation, ct);
        return progress with { Generation = generation };
    }

    private async Task<long> MarkAsync(long through, CancellationToken ct)
    {
        await _outbox.MarkDeliveredAsync(through, ct);
        return through;
    }

    private async Task<long> RewindAsync(long known, long prunedThrough, CancellationToken ct)
    {
        // What is no longer kept can never be delivered; the receiver is told so and takes the hole.
        var from = Math.Max(known, prunedThrough);
        _logger.LogWarning(
            "Delivering events again from {Sequence}: the receiver knows them through {Known} only", from + 1, known);
        await _outbox.RewindAsync(from, ct);
        return from;
    }
}
