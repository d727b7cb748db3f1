namespace Cloud.ServiceDefaults.Supervision;

/// <summary>What a step says when it has looked at the world and done what it could: go on to another state, or wait.
/// There is no third answer; a throw means that the world failed (see <see cref="StepException"/>).</summary>
public abstract record Outcome<TRow, TState>
    where TRow : SupervisedRow<TState>
    where TState : struct, Enum
{
    private Outcome()
    {
    }

    /// <summary>The row as the step wants it saved; null leaves the noun's own columns as they are.</summary>
    public TRow? Changed { get; init; }

    /// <summary>Writes that must commit with the outcome, or not at all: a reservation, a dependent row.</summary>
    public Func<DatabaseTransaction, CancellationToken, Task>? Also { get; init; }

    /// <summary>Move to <paramref name="Next"/>, which the state's rule must list.</summary>
    public sealed record Go(TState Next, string? Why) : Outcome<TRow, TState>;

    /// <summary>Stay, and look again on a nudge or after <paramref name="After"/>, whichever is first.</summary>
    public sealed record Wait(string Why, TimeSpan After) : Outcome<TRow, TState>;

    /// <summary>Lets a step say <c>return Go(Stable, "pods are ready")</c> without naming the types.</summary>
    public static implicit operator Outcome<TRow, TState>(Outcome.Going<TState> going) => new Go(going.Next, going.Why);

    /// <summary>Lets a step say <c>return Wait("no cluster has room", 1 min)</c> without naming the types.</summary>
    public static implicit operator Outcome<TRow, TState>(Outcome.Waiting waiting) =>
        new Wait(waiting.Why, waiting.After);
}

/// <summary>How steps write their answers; meant for <c>using static</c>.</summary>
public static class Outcome
{
    /// <summary>A move to another state, not yet bound to a row type.</summary>
    public readonly record struct Going<TState>(TState Next, string? Why)
        where TState : struct, Enum;

    /// <summary>A wait, not yet bound to a row type.</summary>
    public readonly record struct Waiting(string Why, TimeSpan After);

    /// <summary>Move to another state.</summary>
    public static Going<TState> Go<TState>(TState next, string? why)
        where TState : struct, Enum => new(next, why);

    /// <summary>Move to another state with changes to the row (<c>row with { ... }</c>), and other writes in the same
    /// transaction if need be.</summary>
    public static Outcome<TRow, TState> Go<TRow, TState>(
        TState next, string? why, TRow changed, Func<DatabaseTransaction, CancellationToken, Task>? also = null)
        where TRow : SupervisedRow<TState>
        where TState : struct, Enum => new Outcome<TRow, TState>.Go(next, why) { Changed = changed, Also = also };

    /// <summary>Stay and look again later.</summary>
    public static Waiting Wait(string why, TimeSpan after) => new(why, after);

    /// <summary>Stay, keep changes to the row, and look again later.</summary>
    public static Outcome<TRow, TState> Wait<TRow, TState>(string why, TimeSpan after, TRow changed)
        where TRow : SupervisedRow<TState>
        where TState : struct, Enum => new Outcome<TRow, TState>.Wait(why, after) { Changed = changed };
}
