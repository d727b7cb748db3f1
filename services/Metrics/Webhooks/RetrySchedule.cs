namespace Cloud.Webhooks;

/// <summary>When a delivery that failed is tried again: soon at first, then hourly, for a day. With jitter, so that
/// what failed together does not come back together.</summary>
public static class RetrySchedule
{
    /// <summary>How long after its first attempt a delivery is given up, or its webhook disabled.</summary>
    public static readonly TimeSpan GiveUpAfter = TimeSpan.FromHours(24);

    /// <summary>The longest that a receiver can ask for with <c>Retry-After</c>.</summary>
    public static readonly TimeSpan RetryAfterMax = TimeSpan.FromHours(24);

    private const double JitterShare = 0.2;

    private static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    private static readonly TimeSpan[] First =
    [
        TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(30), TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(10),
        TimeSpan.FromMinutes(30),
    ];

    /// <summary>The wait after the n-th failure (1 is the first): up to a fifth more or less than planned.</summary>
    public static TimeSpan After(int failures)
    {
        var planned = failures <= First.Length ? First[failures - 1] : Longest;
        return planned * (1 - JitterShare + (2 * JitterShare * Random.Shared.NextDouble()));
    }
}
