using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Cloud.Watching;

/// <summary>One call to an API server, for the histogram <c>cloud.provider.call.duration</c>: by resource kind, method
/// and outcome, never by cluster or name, so that the series stay few. A watch is counted until it begins to
/// answer.</summary>
internal sealed class MeasuredCall(string resource, string method) : IDisposable
{
    private static readonly Meter Meter = new(KubernetesApi.MeterName);

    private static readonly Histogram<double> Duration = Meter.CreateHistogram<double>(
        "cloud.provider.call.duration", "s", "Time of calls to what services work on, by target and outcome.",
        advice: new()
        {
            // OpenTelemetry's own begin at 5: nearly every call would be in the first.
            HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300],
        });

    private readonly long _began = Stopwatch.GetTimestamp();

    /// <summary>How it ended; as it is, the caller gave up.</summary>
    public string Outcome { get; set; } = "cancelled";

    public static string OutcomeOf(KubernetesErrorKind kind) => kind switch
    {
        KubernetesErrorKind.Unreachable => "unreachable",
        KubernetesErrorKind.NotFound => "not_found",
        KubernetesErrorKind.AlreadyExists => "already_exists",
        KubernetesErrorKind.Conflict => "conflict",
        KubernetesErrorKind.Forbidden => "forbidden",
        KubernetesErrorKind.Unauthorized => "unauthorized",
        KubernetesErrorKind.TooManyRequests => "too_many_requests",
        KubernetesErrorKind.Gone => "gone",
        KubernetesErrorKind.ServerFault => "server_fault",
        _ => "invalid",
    };

    public void Dispose() => Duration.Record(
        Stopwatch.GetElapsedTime(_began).TotalSeconds,
        new TagList
        {
            { "target", "kubernetes" }, { "resource", resource }, { "operation", method }, { "outcome", Outcome },
        });
}
