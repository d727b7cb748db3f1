namespace Cloud.ServiceDefaults.Supervision;

/// <summary>One step of a journey: looks at the world, does what is missing, says where to go next. It may run twice or
/// be cut anywhere and run again. It never loops, sleeps, retries or reads the clock.</summary>
/// <param name="row">The row as claimed; its epoch goes into everything written outside.</param>
/// <param name="ct">Cancelled when the service stops, the lease is lost, or the rule's deadline has passed.</param>
public delegate Task<Outcome<TRow, TState>> Step<TRow, TState>(TRow row, CancellationToken ct)
    where TRow : SupervisedRow<TState>
    where TState : struct, Enum;

/// <summary>What a state means to the loop.</summary>
/// <param name="Step">Its step; null for a state at rest, which only a request can end.</param>
/// <param name="To">Every state the step may go to; another answer is a bug and is treated as a failure.</param>
public sealed record Rule<TRow, TState>(Step<TRow, TState>? Step, params TState[] To)
    where TRow : SupervisedRow<TState>
    where TState : struct, Enum
{
    /// <summary>Deadline of a step when its rule does not say.</summary>
    public static readonly TimeSpan DeadlineDefault = TimeSpan.FromSeconds(30);

    /// <summary>Head start when more rows are due than can run: each point counts as ten seconds of having waited, so
    /// urgent rows go first and no row starves.</summary>
    public int Priority { get; init; }

    /// <summary>Longest time of one run of the step; past it, it is cancelled and counts as failed.</summary>
    public TimeSpan Deadline { get; init; } = DeadlineDefault;

    /// <summary>Longest stay in the state, as far as somebody could have worked on it: it is counted from the start of
    /// the process that gives up, or from its last pause, if that was later. Past it the row goes to <see
    /// cref="OnFailure"/> with the reason.</summary>
    public TimeSpan? GiveUpAfter { get; init; }

    /// <summary>The state of hopeless errors and of giving up. Without it such a row stays and is retried
    /// slowly.</summary>
    public TState? OnFailure { get; init; }
}

/// <summary>THE table of a noun: a <c>switch</c> expression over the state enum without a default arm, so that a state
/// without a rule does not build.</summary>
public interface IRules<TRow, TState>
    where TRow : SupervisedRow<TState>
    where TState : struct, Enum
{
    /// <summary>The rule of a state.</summary>
    Rule<TRow, TState> For(TState state);
}
