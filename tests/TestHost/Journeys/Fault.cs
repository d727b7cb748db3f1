namespace Cloud.TestHost.Journeys;

/// <summary>What goes wrong once in a life.</summary>
public enum FaultKind
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Each step runs twice.</summary>
    Twice,

    /// <summary>Whoever passes the place is dead from there on: it saves nothing and gives nothing back.</summary>
    Crash,

    /// <summary>The lease is gone at the place, another process takes the row at once, and whoever passes the place
    /// does not know.</summary>
    LostLease,

    /// <summary>Whoever passes the place sleeps there until the row is at rest again in other hands.</summary>
    SleepUntilRest,

    /// <summary>Whoever passes the place sleeps there until the journey is over.</summary>
    SleepUntilTheEnd,
}

/// <summary>A fault and the place where it strikes, as <see cref="Life.Passed"/> names it.</summary>
public sealed record Fault(FaultKind Kind, string Place)
{
    public static readonly Fault None = new(FaultKind.None, "");

    public bool IsSleep => Kind is FaultKind.SleepUntilRest or FaultKind.SleepUntilTheEnd;
}
