namespace Cloud.ServiceDefaults.Supervision;

/// <summary>How long to wait after a failure: doubling from one second to five minutes, with jitter so that rows that
/// failed together do not come back together.</summary>
public static class Backoff
{
    /// <summary>The wait after the first failure, before jitter.</summary>
    public static readonly TimeSpan First = TimeSpan.FromSeconds(1);

    /// <summary>The longest wait.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    /// <summary>The wait after the n-th failure in a row when the outside asked to be left alone for a time: at least
    /// that long, within <see cref="Longest"/>.</summary>
    public static TimeSpan After(int failures, TimeSpan? retryAfter)
    {
        var wait = After(failures);
        var asked = retryAfter < Longest ? retryAfter.Value : retryAfter is null ? TimeSpan.Zero : Longest;
        return asked > wait ? asked : wait;
    }

    /// <summary>The waits after one failure, two in a row and so on; the last one counts for all that follow.</summary>
    public static TimeSpan[] Waits() => [.. Enumerable.Range(1, DoublingsMax + 1).Select(After)];

    private const int DoublingsMax = 9;

    /// <summary>The wait after the n-th failure in a row (1 is the first): between half and all of the doubled
    /// time.</summary>
    public static TimeSpan After(int failures)
    {
        var doublings = Math.Clamp(failures - 1, 0, DoublingsMax);
        var full = (int)Math.Min(First.TotalMilliseconds * (1 << doublings), Longest.TotalMilliseconds);
        return TimeSpan.FromMilliseconds(Random.Shared.Next(full / 2, full + 1));
    }
}
