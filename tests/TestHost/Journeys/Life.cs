using System.Diagnostics.CodeAnalysis;
using Cloud.ServiceDefaults.Storage;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Cloud.TestHost.Journeys;

internal enum StepEnd
{
    Go,
    Wait,
    Failure,
}

/// <summary>One run of a journey with at most one fault in it. It asks the service in its own name, knows its row, and
/// remembers every place that anybody passed for it.</summary>
[SuppressMessage("Design", "CA1001", Justification = "The semaphore's wait handle is never made.")]
public sealed class Life
{
    /// <summary>How long something awaited may take before the life fails; never a measure of speed.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    /// <summary>How long a row is left alone before it is looked at again: what time does, only sooner.</summary>
    private static readonly TimeSpan NudgeAfter = TimeSpan.FromSeconds(1);

    /// <summary>What a sleeper changed must be undone by the service itself within so many looks.</summary>
    private const int MendingLooksMax = 100;

    private static readonly TimeSpan MendingLookEvery = TimeSpan.FromMilliseconds(100);

    private readonly Lock _gate = new();
    private readonly ILifeStage _stage;
    private readonly List<string> _passed = [];
    private readonly List<string> _log = [];
    private readonly SemaphoreSlim _moved = new(0);
    private readonly List<Action> _atEnd = [];
    private bool _requestDied;
    private Flow? _sleeper;
    private TaskCompletionSource? _sleep;
    private int _failures;

    internal Life(ILifeStage stage, Fault fault)
    {
        (_stage, Fault) = (stage, fault);
        Invoker = stage.Invoker.Intercept(headers =>
        {
            headers.Add("x-actor", Id);
            return headers;
        });
    }

    /// <summary>Its own: what it makes outside is told apart by it.</summary>
    public string Id { get; } = ResourceId.New();

    /// <summary>What goes wrong in it.</summary>
    public Fault Fault { get; }

    /// <summary>For clients of the service.</summary>
    public CallInvoker Invoker { get; }

    /// <summary>Id of its row; empty before it is known.</summary>
    public string RowId { get; private set; } = "";

    internal string Asking { get; private set; } = "";

    /// <summary>Places passed for it, each once, in order.</summary>
    internal IReadOnlyList<string> Passed
    {
        get
        {
            lock (_gate)
            {
                return [.. _passed.Distinct()];
            }
        }
    }

    internal HashSet<string> States { get; } = new(StringComparer.Ordinal);

    /// <summary>Runs of steps that did something or failed.</summary>
    internal int Passes { get; private set; }

    /// <summary>Whether the fault has struck.</summary>
    internal bool IsStruck { get; private set; }

    /// <summary>What was changed outside by a worker that woke, and stays so; null when nothing.</summary>
    internal string? Damage { get; private set; }

    /// <summary>What was changed so at first.</summary>
    internal string? Mended { get; private set; }

    /// <summary>A request id that stays the same when the request is repeated.</summary>
    public string RequestId => $"{Id}-{Asking}";

    /// <summary>Asks for the row; the life goes on with it.</summary>
    public async Task<T> BeginAsync<T>(
        string verb, Func<CancellationToken, AsyncUnaryCall<T>> ask, Func<T, string> nameOf, CancellationToken ct)
    {
        var reply = await AskAsync(verb, ask, ct);
        var name = nameOf(reply);
        RowId = name[(name.IndexOf('/', StringComparison.Ordinal) + 1)..];
        _stage.Bind(name, this);
        return reply;
    }

    /// <summary>Asks something. When the process that serves it dies, asks the same again; so too, after a while, when
    /// it is told to: sleepers of other lives may hold all of a server's turns.</summary>
    /// <param name="verb">What is asked, for the names of places.</param>
    public async Task<T> AskAsync<T>(
        string verb, Func<CancellationToken, AsyncUnaryCall<T>> ask, CancellationToken ct)
    {
        Asking = verb;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        patience.CancelAfter(Patience);
        while (true)
        {
            try
            {
                return await ask(ct);
            }
            catch (RpcException) when (TakeRequestDied())
            {
                Note($"the process that was asked to {verb} died; it is asked again");
            }
            catch (RpcException e) when (
                e.StatusCode == StatusCode.Unavailable && !patience.IsCancellationRequested)
            {
                Note($"asked to {verb}: {e.Status.Detail}");
                await Task.Delay(NudgeAfter, TimeProvider.System, ct);
            }
        }
    }

    /// <summary>Waits until the row is in a state.</summary>
    public Task UntilAsync(string state, CancellationToken ct) => UntilAsync(state, "", ct);

    /// <summary>Waits until the row is in a state and something else is so as well.</summary>
    public Task UntilAsync(string state, Func<CancellationToken, Task<bool>> isSo, CancellationToken ct) =>
        UntilAsync(state, (_, token) => isSo(token), ct);

    /// <summary>Waits until the row is in a state and says what it waits for. Meanwhile it is looked at now and then,
    /// as time would bring about.</summary>
    /// <param name="waitingFor">What the words must contain.</param>
    public Task UntilAsync(string state, string waitingFor, CancellationToken ct) => UntilAsync(
        state, (row, _) => Task.FromResult((row.WaitingFor ?? "").Contains(waitingFor, StringComparison.Ordinal)), ct);

    private async Task UntilAsync(
        string state, Func<RowState, CancellationToken, Task<bool>> isSo, CancellationToken ct)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        patience.CancelAfter(Patience);
        RowState? row = null;
        try
        {
            while (true)
            {
                row = await _stage.FindAsync(this, patience.Token);
                if (row?.State == state && await isSo(row, patience.Token))
                {
                    break;
                }

                if (row is { IsAtRest: true })
                {
                    throw new InvalidOperationException($"It rests in {row.State}, not in {state}: {row.LastError}");
                }

                await WakeIfInTheWayAsync();
                if (!await _moved.WaitAsync(NudgeAfter, patience.Token))
                {
                    await _stage.NudgeAsync(this, patience.Token);
                }
            }
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new TimeoutException($"It did not come to {state}: {row}", e);
        }

        if (Fault.Kind == FaultKind.SleepUntilRest && row.IsAtRest)
        {
            await WakeAsync(ct);
        }
    }

    /// <summary>Gives something back when nobody works for this life any more, sleepers included.</summary>
    public void AtEnd(Action giveBack) => _atEnd.Add(giveBack);

    internal void End() => _atEnd.ForEach(giveBack => giveBack());

    /// <summary>The journey is over; a fault at its very end may still strike, and a sleeper wakes.</summary>
    internal async Task FinishAsync(CancellationToken ct)
    {
        for (var tries = 0; Fault.Place.Length > 0 && !IsStruck && tries < 2; tries++)
        {
            await _moved.WaitAsync(NudgeAfter, ct);
        }

        await WakeAsync(ct);
    }

    /// <summary>What happened, for whoever must understand a failure.</summary>
    internal string Story()
    {
        lock (_gate)
        {
            return string.Join(Environment.NewLine, _log);
        }
    }

    internal void Entered(string state)
    {
        lock (_gate)
        {
            States.Add(state);
        }
    }

    internal void StepEnded(StepEnd end)
    {
        lock (_gate)
        {
            Passes += end == StepEnd.Wait ? 0 : 1;
            _failures += end == StepEnd.Failure ? 1 : 0;
        }
    }

    internal async ValueTask PassAsync(Flow flow, string place, string name)
    {
        lock (_gate)
        {
            _passed.Add(name);
            _log.Add($"{flow.GetHashCode():x8} {name}");
            if (IsStruck || name != Fault.Place || (flow.IsRequest && Fault.IsSleep))
            {
                if (place is "save.after" or "transaction.after-commit" or "lease.release")
                {
                    _moved.Release();
                }

                return;
            }

            IsStruck = true;
            _moved.Release();
        }

        await StrikeAsync(flow, place);
    }

    private async Task StrikeAsync(Flow flow, string place)
    {
        Note($"{flow.GetHashCode():x8} {Fault.Kind}");
        switch (Fault.Kind)
        {
            case FaultKind.Crash:
                _requestDied = flow.IsRequest;
                flow.Die();
                await _stage.TakeLeaseAwayAsync(this);
                throw new CrashedException(place);
            case FaultKind.LostLease:
                await _stage.TakeLeaseAwayAsync(this);
                break;
            case FaultKind.SleepUntilRest or FaultKind.SleepUntilTheEnd:
                var sleep = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                lock (_gate)
                {
                    (_sleeper, _sleep, _failures) = (flow, sleep, 0);
                }

                await _stage.HandOverAsync(this);
                await sleep.Task;
                break;
        }
    }

    /// <summary>A sleeper that holds a lock of the outside world keeps others from the row; nothing can be damaged
    /// behind its back then, and it goes on.</summary>
    private async Task WakeIfInTheWayAsync()
    {
        if (_sleep is { } sleep && _failures > 0)
        {
            Note("the sleeper is in the way and wakes");
            _sleep = null;
            sleep.SetResult();
            await _sleeper!.Ended;
        }
    }

    private async Task WakeAsync(CancellationToken ct)
    {
        if (_sleep is not { } sleep)
        {
            return;
        }

        _sleep = null;
        Note("the sleeper wakes");
        var (row, outside) = await _stage.LookAsync(this, ct);
        sleep.SetResult();
        await _sleeper!.Ended.WaitAsync(Patience, ct);
        for (var looks = 0; looks == 0 || (Damage is not null && looks < MendingLooksMax); looks++)
        {
            if (looks > 0)
            {
                Mended = Damage;
                await Task.Delay(MendingLookEvery, TimeProvider.System, ct);
            }

            var (rowAfter, outsideAfter) = await _stage.LookAsync(this, ct);
            Damage = Differences(row, outside, rowAfter, outsideAfter);
        }
    }

    private static string? Differences(
        RowState? row, IReadOnlyList<string> outside, RowState? rowAfter, IReadOnlyList<string> outsideAfter)
    {
        var changes = outside.Except(outsideAfter).Select(line => "- " + line)
            .Concat(outsideAfter.Except(outside).Select(line => "+ " + line)).ToList();
        if ((row?.State, row?.Version) != (rowAfter?.State, rowAfter?.Version))
        {
            changes.Add($"row: {row} became {rowAfter}");
        }

        return changes.Count > 0 ? string.Join(Environment.NewLine, changes) : null;
    }

    private bool TakeRequestDied()
    {
        var died = _requestDied;
        _requestDied = false;
        return died;
    }

    private void Note(string words)
    {
        lock (_gate)
        {
            _log.Add(words);
        }
    }
}

/// <summary>What a life needs of the world it is in.</summary>
internal interface ILifeStage
{
    CallInvoker Invoker { get; }

    void Bind(string resource, Life life);

    Task<RowState?> FindAsync(Life life, CancellationToken ct);

    Task<(RowState? Row, IReadOnlyList<string> Outside)> LookAsync(Life life, CancellationToken ct);

    /// <summary>Every process looks at the row.</summary>
    Task NudgeAsync(Life life, CancellationToken ct);

    /// <summary>The lease is gone, and every process hears of the row.</summary>
    Task TakeLeaseAwayAsync(Life life);

    /// <summary>Somebody takes the row over while the lease is held.</summary>
    Task HandOverAsync(Life life);
}
