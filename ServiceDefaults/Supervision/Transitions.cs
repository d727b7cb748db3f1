namespace Cloud.ServiceDefaults.Supervision;

/// <summary>How a row changes, as pure functions: by a request, a move, a wait, a failure. The version grows when
/// something visible changed; the claim is given back with every write.</summary>
internal static class Transitions<TRow, TState>
    where TRow : SupervisedRow<TState>
    where TState : struct, Enum
{
    /// <summary>A request verb: the new wish is looked at at once and starts with a clean slate.</summary>
    public static TRow Requested(TRow before, TRow wanted, DateTimeOffset now)
    {
        var moved = !Same(before.State, wanted.State);
        var cause = Cause.Current;
        return wanted with
        {
            CauseRequestId = cause.RequestId,
            CauseTraceparent = cause.Traceparent,
            Id = before.Id,
            Version = before.Version + 1,
            Epoch = before.Epoch,
            Attempts = 0,
            StateSince = moved ? now : before.StateSince,
            NextAttemptAt = moved || before.NextAttemptAt is not null ? now : null,
            ClaimedUntil = before.ClaimedUntil,
            ClaimedBy = before.ClaimedBy,
            LookedAt = before.LookedAt,
            WaitingFor = moved ? null : before.WaitingFor,
            LastErrorCode = moved ? null : before.LastErrorCode,
            LastError = moved ? null : before.LastError,
            LastErrorFault = moved ? null : before.LastErrorFault,
        };
    }

    /// <summary>The step moves the row on.</summary>
    public static Transition<TRow> Moved(
        TRow before, Outcome<TRow, TState>.Go go, bool nextIsAtRest, DateTimeOffset now) =>
        new(
            Cleared(before, go.Changed) with
            {
                State = go.Next,
                StateSince = Same(before.State, go.Next) ? before.StateSince : now,
                Version = before.Version + 1,
                NextAttemptAt = nextIsAtRest ? null : now,
                WaitingFor = null,
            },
            go.Why,
            Tell: true,
            go.Also);

    /// <summary>The step waits. Only a change of the noun's own columns is an event; waiting is not.</summary>
    public static Transition<TRow> Waiting(
        TRow before, Outcome<TRow, TState>.Wait wait, DateTimeOffset nextAttempt)
    {
        var changed = wait.Changed is not null && wait.Changed != before;
        return new(
            Cleared(before, wait.Changed) with
            {
                State = before.State,
                Version = changed ? before.Version + 1 : before.Version,
                NextAttemptAt = nextAttempt,
                WaitingFor = wait.Why,
            },
            wait.Why,
            Tell: changed,
            wait.Also);
    }

    /// <summary>The step failed and is tried again.</summary>
    public static Transition<TRow> Failed(TRow before, Failure failure, DateTimeOffset nextAttempt) =>
        new(
            before with
            {
                Attempts = before.Attempts + 1,
                NextAttemptAt = nextAttempt,
                ClaimedUntil = null,
                ClaimedBy = null,
                LastErrorCode = failure.Code,
                LastError = failure.Message,
                LastErrorFault = failure.Fault,
            },
            failure.Message,
            Tell: false)
        {
            Failure = failure,
        };

    /// <summary>The step failed for good: the failed state keeps what led to it.</summary>
    public static Transition<TRow> GivenUp(
        TRow before, TState failedState, bool nextIsAtRest, Failure failure, DateTimeOffset now) =>
        new(
            before with
            {
                State = failedState,
                StateSince = now,
                Version = before.Version + 1,
                Attempts = 0,
                NextAttemptAt = nextIsAtRest ? null : now,
                ClaimedUntil = null,
                ClaimedBy = null,
                WaitingFor = null,
                LastErrorCode = failure.Code,
                LastError = failure.Message,
                LastErrorFault = failure.Fault,
            },
            failure.Message,
            Tell: true)
        {
            Failure = failure,
        };

    /// <summary>The row is at rest: nothing is due until a request comes.</summary>
    public static Transition<TRow> Settled(TRow before) =>
        new(before with { NextAttemptAt = null, ClaimedUntil = null, ClaimedBy = null }, null, Tell: false);

    private static TRow Cleared(TRow before, TRow? changed) => (changed ?? before) with
    {
        Id = before.Id,
        Epoch = before.Epoch,
        Attempts = 0,
        StateSince = before.StateSince,
        ClaimedUntil = null,
        ClaimedBy = null,
        LookedAt = before.LookedAt,
        LastErrorCode = null,
        LastError = null,
        LastErrorFault = null,
    };

    private static bool Same(TState a, TState b) => EqualityComparer<TState>.Default.Equals(a, b);
}
