namespace Cloud.Watching;

/// <summary>
/// Exponential waiting with jitter: each wait is between half and all of a bound that doubles up to a cap.
/// </summary>
/// <param name="First">Bound of the first wait.</param>
/// <param name="Longest">Cap of the bound.</param>
public sealed record Backoff(TimeSpan First, TimeSpan Longest)
{
    /// <summary>The doubling stops mattering here, and stays clear of overflow.</summary>
    private const int DoublingsMax = 30;

    /// <summary>How long to wait after the given number of failures in a row (1 or more).</summary>
    public TimeSpan After(int failures)
    {
        var doublings = Math.Clamp(failures - 1, 0, DoublingsMax);
        var bound = Math.Min(First.TotalMilliseconds * Math.Pow(2, doublings), Longest.TotalMilliseconds);
#pragma warning disable CA5394 // Spreading load needs no secrecy.
        return TimeSpan.FromMilliseconds(bound * (0.5 + Random.Shared.NextDouble() / 2));
#pragma warning restore CA5394
    }
}
