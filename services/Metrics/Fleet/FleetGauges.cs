using System.Diagnostics.Metrics;
using Cloud.Events;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;

namespace Cloud.Fleet;

/// <summary>
/// The fleet as gauges: <c>cloud.fleet.resources</c> by resource type and state, <c>cloud.feed.sequence</c> and
/// <c>cloud.feed.source_sequence</c> by source. Counted again after the feed has grown, at most once in
/// <see cref="ShortestInterval"/>, and kept in memory, so that scraping reads no table. Every replica shows the whole
/// fleet: take the maximum over replicas, not the sum.
/// </summary>
public sealed class FleetGauges : BackgroundService
{
    /// <summary>Name of the meter, to be registered with OpenTelemetry.</summary>
    public const string MeterName = "Cloud.Fleet";

    /// <summary>Counting reads one index; under a storm of events once a second is fresh enough.</summary>
    public static readonly TimeSpan ShortestInterval = TimeSpan.FromSeconds(1);

    private readonly FleetStore _store;
    private readonly FeedSignal _signal;
    private readonly SchemaGate _schema;
    private readonly TimeProvider _time;
    private readonly ILogger<FleetGauges> _log;
    private readonly HashSet<(string ResourceType, string State)> _seen = [];

    private volatile FleetCounts _counts = new([], [], 0);

    public FleetGauges(
        FleetStore store,
        FeedSignal signal,
        SchemaGate schema,
        IMeterFactory meters,
        TimeProvider time,
        ILogger<FleetGauges> log)
    {
        (_store, _signal, _schema, _time, _log) = (store, signal, schema, time, log);
        var meter = meters.Create(MeterName);
        meter.CreateObservableGauge(
            "cloud.fleet.resources", Resources, "{resource}", "Resources that are not deleted, by type and state.");
        meter.CreateObservableGauge(
            "cloud.feed.sequence", () => _counts.Sequence, "{event}", "Newest sequence of the event feed.");
        meter.CreateObservableGauge(
            "cloud.feed.source_sequence", Sources, "{event}", "Newest sequence taken in, by source service.");
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await _schema.ReadyAsync(stoppingToken);
        while (!stoppingToken.IsCancellationRequested)
        {
            var grown = _signal.NextAsync(stoppingToken);
            try
            {
                _counts = WithZeros(await _store.CountAsync(stoppingToken));
                await grown;
            }
            catch (Exception failure) when (!failure.IsStop(stoppingToken))
            {
                _log.LogWarning(failure, "Counting the fleet failed; the gauges stand still until it works again");
            }

            await Task.Delay(ShortestInterval, _time, stoppingToken);
        }
    }

    /// <summary>A state that was left by its last resource is shown as 0, not as the last number it had.</summary>
    private FleetCounts WithZeros(FleetCounts fresh)
    {
        var present = fresh.Counts.Select(c => (c.ResourceType, c.State)).ToHashSet();
        _seen.UnionWith(present);
        var empty = _seen.Except(present).Select(key => new StateCount(key.ResourceType, key.State, 0));
        return fresh with { Counts = [.. fresh.Counts, .. empty] };
    }

    private IEnumerable<Measurement<long>> Resources() => _counts.Counts.Select(c => new Measurement<long>(
        c.Count,
        new KeyValuePair<string, object?>("resource_type", c.ResourceType),
        new KeyValuePair<string, object?>("state", c.State)));

    private IEnumerable<Measurement<long>> Sources() => _counts.Sources.Select(s => new Measurement<long>(
        s.SourceSequence, new KeyValuePair<string, object?>("source", s.Source)));
}
