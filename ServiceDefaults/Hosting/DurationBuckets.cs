using System.Diagnostics.Metrics;

namespace Cloud.ServiceDefaults.Hosting;

/// <summary>Buckets of histograms of durations. Those that come by themselves, 0, 5, 10 to 10,000, are of milliseconds:
/// of seconds, nearly everything falls into one.</summary>
public static class DurationBuckets
{
    /// <summary>From milliseconds to the longest deadlines, which are minutes.</summary>
    public static InstrumentAdvice<double> Seconds { get; } = new()
    {
        HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300],
    };
}
