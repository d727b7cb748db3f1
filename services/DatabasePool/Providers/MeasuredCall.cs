using System.Diagnostics;
using System.Diagnostics.Metrics;
using Cloud.ServiceDefaults.Hosting;

namespace Cloud.Providers;

/// <summary>One piece of work on a database server, for the histogram <c>cloud.provider.call.duration</c>: by what it
/// is and how it ended, never by server or database, so that the series stay few.</summary>
internal sealed class MeasuredCall(string operation) : IDisposable
{
    public const string Done = "ok";
    public const string Failed = "failed";

    /// <summary>The caller had lost its right to act; nothing was done.</summary>
    public const string Fenced = "fenced";

    private static readonly Meter Meter = new("Cloud.Providers");

    private static readonly Histogram<double> Duration = Meter.CreateHistogram<double>(
        "cloud.provider.call.duration", "s", "Time of calls to what services work on, by target and outcome.",
        advice: DurationBuckets.Seconds);

    private readonly long _began = Stopwatch.GetTimestamp();

    /// <summary>How it ended; as it is, the caller gave up or the server was busy.</summary>
    public string Outcome { get; set; } = "cancelled";

    public void Dispose() => Duration.Record(
        Stopwatch.GetElapsedTime(_began).TotalSeconds,
        new TagList { { "target", "postgresql" }, { "operation", operation }, { "outcome", Outcome } });
}
