using System.Diagnostics.Metrics;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;

namespace Cloud.Events;

/// <summary>Numbers of taking in: <c>cloud.feed.lag</c>, the time from an event's commit at its source to its place in
/// the feed; <c>cloud.feed.taken_in</c> by source; <c>cloud.feed.restored_sources</c> and
/// <c>cloud.feed.lost_events</c>, which must be 0.</summary>
public sealed class FeedMeter : IDisposable
{
    /// <summary>Name of the meter, to be registered with OpenTelemetry.</summary>
    public const string Name = "Cloud.Feed";

    private readonly Meter _meter;
    private readonly Histogram<double> _lag;
    private readonly Counter<long> _takenIn;
    private readonly Counter<long> _restored;
    private readonly Counter<long> _lost;

    public FeedMeter(IMeterFactory meters)
    {
        _meter = meters.Create(Name);
        _lag = _meter.CreateHistogram<double>(
            "cloud.feed.lag", "s", "Age at its source of the oldest event of a batch when the batch was taken in.",
            advice: DurationBuckets.Seconds);
        _takenIn = _meter.CreateCounter<long>("cloud.feed.taken_in", "{event}", "Events taken in, by source.");
        _restored = _meter.CreateCounter<long>(
            "cloud.feed.restored_sources", "{source}", "Sources found to be restored from an older backup.");
        _lost = _meter.CreateCounter<long>(
            "cloud.feed.lost_events", "{gap}", "Gaps in a source's history that can never be filled.");
    }

    internal void TakenIn(string source, IReadOnlyList<RecordedEvent> events, DateTimeOffset now)
    {
        if (events.Count == 0)
        {
            return;
        }

        var of = new KeyValuePair<string, object?>("source", source);
        _takenIn.Add(events.Count, of);
        _restored.Add(events.Count(e => e.Type == EventTypes.SourceRestored), of);
        _lost.Add(events.Count(e => e.Type == EventTypes.EventsLost), of);
        _lag.Record(Math.Max(0, (now - events.Min(e => e.OccurredAt)).TotalSeconds), of);
    }

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();
}
