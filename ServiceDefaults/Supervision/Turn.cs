using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Cloud.ServiceDefaults.Supervision;

/// <summary>How a turn ended: whether to take the row again, and by when to look at the table.</summary>
/// <param name="Again">Take it again as soon as there is a slot.</param>
/// <param name="LookAt">When something of it will be due.</param>
/// <param name="HeldByOther">Another worker has the row.</param>
/// <param name="TargetFailed">Whether the outside that the last step talked to failed; null when no step ran.</param>
internal readonly record struct TurnEnd(
    WorkItem? Again = null, DateTimeOffset? LookAt = null, bool HeldByOther = false, bool? TargetFailed = null);

/// <summary>
/// One worker's turn with one row: lease, claim, then step after step while the row moves on, each saved with its event
/// before the next begins. A stop or the loss of the lease cuts the step and nothing else: what is to be written of the
/// turn, the result of a step that has ended as well as the claim that is given back, may still be for a moment. See
/// <see cref="Supervisor{TRow,TState}"/> for what this guarantees.
/// </summary>
internal sealed class Turn<TRow, TState>(
    SupervisedStore<TRow, TState> store,
    IRules<TRow, TState> rules,
    Leases leases,
    INudges nudges,
    Checkpoints checkpoints,
    SupervisionMeter meter,
    TimeProvider time,
    ILogger logger)
    where TRow : SupervisedRow<TState>
    where TState : struct, Enum
{
    /// <summary>Most steps of one turn; a longer chain gives its slot up in between.</summary>
    public const int StepsPerTurnMax = 32;

    /// <summary>How soon a nudge brings back a row that is failing.</summary>
    public static readonly TimeSpan NudgedRetry = TimeSpan.FromSeconds(1);

    /// <summary>How long a step may take to notice that it was cancelled before its slot is given away.</summary>
    private static readonly TimeSpan AbandonAfter = TimeSpan.FromSeconds(5);

    /// <summary>How long saving or giving a claim back may take when the turn itself was cancelled.</summary>
    private static readonly TimeSpan ReleaseWithin = TimeSpan.FromSeconds(2);

    /// <summary>This process, as claims name it.</summary>
    public static readonly string Worker = $"{Environment.MachineName}/{Environment.ProcessId}";

    private readonly TimeSpan _longestDeadline = Enum.GetValues<TState>().Max(s => rules.For(s).Deadline);
    private long _worksSince;

    /// <summary>Since when this process has worked without a pause. Time in which nobody could have tried is not held
    /// against a row: it is not given up for our own downtime.</summary>
    public DateTimeOffset WorksSince
    {
        get => new(Interlocked.Read(ref _worksSince), TimeSpan.Zero);
        set => Interlocked.Exchange(ref _worksSince, value.UtcTicks);
    }

    /// <summary>Takes the turn.</summary>
    /// <param name="enter">Asks for a bulkhead slot of the claimed row; a key that it answers has none left.</param>
    public async Task<TurnEnd> TakeAsync(WorkItem item, Func<TRow, string?> enter, CancellationToken stopping)
    {
        var end = default(TurnEnd);
        try
        {
            end = await TakeWithLeaseAsync(item, enter, stopping);
            return end;
        }
        finally
        {
            if (stopping.IsCancellationRequested && !end.HeldByOther)
            {
                // Only now, with the lease given back, can another process take over; also when something failed, as
                // calls do that are cut. The nudge does not wait for anything.
                await nudges.SendAsync(new Nudge(store.Noun, item.Id), default);
            }
        }
    }

    private async Task<TurnEnd> TakeWithLeaseAsync(
        WorkItem item, Func<TRow, string?> enter, CancellationToken stopping)
    {
        await using var lease = await leases.TryTakeAsync($"{store.Noun}:{item.Id}", stopping);
        if (lease is null)
        {
            meter.LeaseRefused(store.Noun);
            return new TurnEnd(HeldByOther: true);
        }

        using var closing = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        using var closes = stopping.Register(() => closing.CancelAfter(ReleaseWithin));
        return await TakeAsync(item, enter, lease, new Ends(stopping, closing.Token));
    }

    private async Task<TurnEnd> TakeAsync(WorkItem item, Func<TRow, string?> enter, Lease lease, Ends ends)
    {
        var claimedFor = lease.InRedis ? Leases.Expiry : _longestDeadline + AbandonAfter;
        var terms = new ClaimTerms(Worker, claimedFor, item.HeardAt, lease.InRedis);
        var row = await store.ClaimAsync(item.Id, terms, ends.Closing);
        if (row is null)
        {
            return item.HeardAt is { } heardAt
                ? new TurnEnd(
                    LookAt: await store.PullForwardAsync(item.Id, heardAt, NudgedRetry, ends.Closing),
                    HeldByOther: !lease.InRedis)
                : default;
        }

        if (enter(row) is { } fullKey)
        {
            await store.ReleaseAsync(row, dueNow: true, ends.Closing);
            return new TurnEnd(Again: item with { HeardAt = null, Ranked = true, Key = fullKey });
        }

        return await RunChainAsync(row, lease, claimedFor, ends);
    }

    private async Task<TurnEnd> RunChainAsync(TRow row, Lease lease, TimeSpan claimedFor, Ends ends)
    {
        // What a step does besides its own row, here and in other services, the same request caused.
        RequestContext.Current.RequestId = row.CauseRequestId;
        bool? targetFailed = null;
        for (var steps = 0; steps < StepsPerTurnMax; steps++)
        {
            var rule = rules.For(row.State);
            Transition<TRow> transition;
            try
            {
                ends.Stopping.ThrowIfCancellationRequested();
                lease.Lost.ThrowIfCancellationRequested();
                transition = rule.Step is null
                    ? Transitions<TRow, TState>.Settled(row)
                    : await RunStepAsync(row, rule, lease, ends.Stopping);
            }
            catch (OperationCanceledException) when (IsCut(lease, ends.Stopping))
            {
                return await GiveBackAsync(row, ends.Stopping);
            }

            targetFailed = transition.Failure is { TargetFailed: true };
            var saved = await SaveAsync(row, rule, Continued(store.Stamped(row, transition), claimedFor), ends.Closing);
            if (saved is null)
            {
                meter.SaveLost(store.Noun);
                logger.LogInformation(
                    "Looking at {Noun} {Id} again: it was changed while its step ran", store.Noun, row.Id);
                await store.ReleaseAsync(row, dueNow: false, ends.Closing);
                return new TurnEnd(Again: Next(row), TargetFailed: targetFailed);
            }

            row = saved.After;
            if (row.ClaimedUntil is null)
            {
                return new TurnEnd(LookAt: row.NextAttemptAt, TargetFailed: targetFailed);
            }
        }

        // Without Redis the claim would keep the next turn out of it as well.
        await store.ReleaseAsync(row, dueNow: true, ends.Closing);
        return new TurnEnd(Again: Next(row), TargetFailed: targetFailed);
    }

    /// <summary>A row that was just worked on, behind those that wait longer.</summary>
    private WorkItem Next(TRow row) => new(row.Id, store.Now, true, null, null);

    /// <summary>A row that is due at once stays claimed, for the next step of this turn.</summary>
    private Transition<TRow> Continued(Transition<TRow> transition, TimeSpan claimedFor) =>
        transition.Tell && transition.After.NextAttemptAt <= store.Now
            ? transition with
            {
                After = transition.After with
                {
                    ClaimedUntil = store.Now + claimedFor, ClaimedBy = Worker, LookedAt = store.Now,
                },
            }
            : transition;

    /// <summary>Saves; what PostgreSQL refuses (a constraint the step ran into) is recorded as the step's
    /// failure.</summary>
    /// <returns>What was saved, from which alone the turn goes on; null when the row was changed meanwhile.</returns>
    private async Task<Transition<TRow>?> SaveAsync(
        TRow row, Rule<TRow, TState> rule, Transition<TRow> transition, CancellationToken closing)
    {
        try
        {
            return await store.SaveAsync(row, transition, closing) ? transition : null;
        }
        catch (PostgresException e) when (!DatabaseTrouble.IsAway(e))
        {
            var refused = store.Stamped(row, Judge(row, rule, Failure.Of(e), e));
            return await store.SaveAsync(row, refused, closing) ? refused : null;
        }
    }

    private async Task<Transition<TRow>> RunStepAsync(
        TRow row, Rule<TRow, TState> rule, Lease lease, CancellationToken stopping)
    {
        var state = StateNames<TState>.Of(row.State);
        var started = time.GetTimestamp();
        using var activity = Cause.Continue(
            SupervisionMeter.Activities, $"{store.Noun} {state}", row.CauseTraceparent);
        activity.SetTag("cloud.resource", store.NameOf(row.Id));
        activity.SetTag("cloud.epoch", row.Epoch);
        try
        {
            var outcome = await RunBoundedAsync(row, rule, lease, stopping);
            var transition = Judge(row, rule, outcome);
            var answer = outcome is Outcome<TRow, TState>.Go ? "go" : "wait";
            meter.StepEnded(store.Noun, state, answer, time.GetElapsedTime(started));
            return transition;
        }
        catch (Exception e) when (IsCut(lease, stopping))
        {
            // Libraries wrap a cancellation in errors of their own; by any name it is not the world's failure.
            meter.StepEnded(store.Noun, state, "cut", time.GetElapsedTime(started));
            throw e as OperationCanceledException ?? new OperationCanceledException("The step was cut.", e);
        }
        catch (Exception e)
        {
            meter.StepEnded(store.Noun, state, "failed", time.GetElapsedTime(started));
            var failure = e is StepDeadlineException ? Failure.Deadline(rule.Deadline) : Failure.Of(e);
            activity.SetStatus(ActivityStatusCode.Error, failure.Code);
            return Judge(row, rule, failure, e);
        }
    }

    private async Task<Outcome<TRow, TState>> RunBoundedAsync(
        TRow row, Rule<TRow, TState> rule, Lease lease, CancellationToken stopping)
    {
        using var deadline = new CancellationTokenSource(rule.Deadline, time);
        using var cut = CancellationTokenSource.CreateLinkedTokenSource(stopping, lease.Lost, deadline.Token);
        await checkpoints.PassAsync("step.before", cut.Token);
        var step = rule.Step!(row, cut.Token);
        try
        {
            // A step that ignores its token must not keep its slot; what it still does is fenced by the epoch. A stop
            // is not waited for here: the step sees it in its own token and ends, or the stopping loop leaves it.
            var outcome = await step.WaitAsync(rule.Deadline + AbandonAfter, time, default);
            await checkpoints.PassAsync("step.after", cut.Token);
            lease.Lost.ThrowIfCancellationRequested();
            return outcome;
        }
        catch (Exception e) when (deadline.IsCancellationRequested && !IsCut(lease, stopping))
        {
            throw new StepDeadlineException(e);
        }
        finally
        {
            if (!step.IsCompleted)
            {
                logger.LogError(
                    "Abandoning the step of {Noun} {Id} in {State}: it ignores its cancellation",
                    store.Noun, row.Id, StateNames<TState>.Of(row.State));
                _ = step.ContinueWith(
                    static t => t.Exception, default, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
            }
        }
    }

    private Transition<TRow> Judge(TRow row, Rule<TRow, TState> rule, Outcome<TRow, TState> outcome)
    {
        var now = store.Now;
        switch (outcome)
        {
            case Outcome<TRow, TState>.Go go when rule.To.Contains(go.Next):
                logger.LogInformation(
                    "Moving {Noun} {Id} from {From} to {To}: {Why}",
                    store.Noun, row.Id, StateNames<TState>.Of(row.State), StateNames<TState>.Of(go.Next), go.Why);
                return Transitions<TRow, TState>.Moved(row, go, rules.For(go.Next).Step is null, now);
            case Outcome<TRow, TState>.Go go:
                var broken = Failure.Unlisted(StateNames<TState>.Of(row.State), StateNames<TState>.Of(go.Next));
                return Judge(row, rule, broken, null);
            case Outcome<TRow, TState>.Wait wait:
                if (GiveUpAt(row, rule) is { } giveUpAt && giveUpAt <= now)
                {
                    return GiveUp(row, rule, Failure.GaveUp(rule.GiveUpAfter!.Value, wait.Why, null, null));
                }

                return Transitions<TRow, TState>.Waiting(row, wait, Earlier(now + wait.After, GiveUpAt(row, rule)));
            default:
                throw new UnreachableException();
        }
    }

    private Transition<TRow> Judge(TRow row, Rule<TRow, TState> rule, Failure failure, Exception? exception)
    {
        var state = StateNames<TState>.Of(row.State);
        if (!failure.Expected)
        {
            logger.LogError(
                exception, "Failing {Noun} {Id} in {State}: {Code}", store.Noun, row.Id, state, failure.Code);
        }

        if (!failure.Retryable && rule.OnFailure is not null)
        {
            return GiveUp(row, rule, failure);
        }

        var now = store.Now;
        if (rule.OnFailure is not null && GiveUpAt(row, rule) is { } giveUpAt && giveUpAt <= now)
        {
            return GiveUp(
                row, rule, Failure.GaveUp(rule.GiveUpAfter!.Value, failure.Message, failure.Code, failure.Fault));
        }

        var wait = failure.Retryable ? Backoff.After(row.Attempts + 1, failure.RetryAfter) : Backoff.Longest;
        logger.LogWarning(
            "Retrying {Noun} {Id} in {State} after {Wait:0.0} s, failure {Attempt} in a row: {Code}: {Message}",
            store.Noun, row.Id, state, wait.TotalSeconds, row.Attempts + 1, failure.Code, failure.Message);
        return Transitions<TRow, TState>.Failed(row, failure, Earlier(now + wait, GiveUpAt(row, rule)));
    }

    private Transition<TRow> GiveUp(TRow row, Rule<TRow, TState> rule, Failure failure)
    {
        var failed = rule.OnFailure!.Value;
        logger.LogWarning(
            "Giving up {Noun} {Id} in {State}, now {Failed}: {Code}: {Message}",
            store.Noun,
            row.Id,
            StateNames<TState>.Of(row.State),
            StateNames<TState>.Of(failed),
            failure.Code,
            failure.Message);
        return Transitions<TRow, TState>.GivenUp(row, failed, rules.For(failed).Step is null, failure, store.Now);
    }

    private static bool IsCut(Lease lease, CancellationToken stopping) =>
        stopping.IsCancellationRequested || lease.Lost.IsCancellationRequested;

    private DateTimeOffset? GiveUpAt(TRow row, Rule<TRow, TState> rule) =>
        rule is { GiveUpAfter: { } after, OnFailure: not null }
            ? (row.StateSince > WorksSince ? row.StateSince : WorksSince) + after
            : null;

    private static DateTimeOffset Earlier(DateTimeOffset a, DateTimeOffset? b) => b < a ? b.Value : a;

    /// <summary>The step was cut by a stop or by losing the lease: nothing is recorded, another worker may go on at
    /// once.</summary>
    /// <exception cref="TimeoutException">PostgreSQL does not answer.</exception>
    private async Task<TurnEnd> GiveBackAsync(TRow row, CancellationToken stopping)
    {
        // The turn's own token has fired; this last write gets a short one of its own.
        using var brief = new CancellationTokenSource(ReleaseWithin, time);
        try
        {
            await store.ReleaseAsync(row, dueNow: true, brief.Token);
        }
        catch (OperationCanceledException e) when (!stopping.IsCancellationRequested)
        {
            throw new TimeoutException($"A claim could not be given back within {ReleaseWithin.TotalSeconds:0} s.", e);
        }

        if (stopping.IsCancellationRequested)
        {
            return default;
        }

        meter.LeaseLost(store.Noun);
        logger.LogInformation("Cutting the step of {Noun} {Id}: its lease was lost", store.Noun, row.Id);
        return new TurnEnd(Again: Next(row));
    }

    /// <summary>What ends a turn early.</summary>
    /// <param name="Stopping">The process stops: no step goes on.</param>
    /// <param name="Closing">Nothing is written any more: a moment after that.</param>
    private readonly record struct Ends(CancellationToken Stopping, CancellationToken Closing);

    /// <summary>The rule's deadline passed while the step ran.</summary>
    private sealed class StepDeadlineException(Exception inner) : Exception(null, inner);
}
