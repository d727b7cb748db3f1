using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;

namespace Cloud.Events;

/// <summary>How long events are kept.</summary>
public sealed class EventRetentionOptions
{
    /// <summary>Days that an event is kept after it was taken in. Default 90.</summary>
    public int Days { get; set; } = 90;

    /// <summary>Events kept at most, whatever their age; the oldest go first. Default 10,000,000, about 5 GB with
    /// their indexes.</summary>
    public long EventsMax { get; set; } = 10_000_000;
}

/// <summary>
/// Lets old events go, a few at a time. Every replica does it; the feed's lock makes them take turns, and one that
/// comes second finds less to do.
/// </summary>
public sealed class EventRetention(
    EventStore store,
    EventRetentionOptions options,
    SchemaGate schema,
    TimeProvider time,
    ILogger<EventRetention> log) : BackgroundService
{
    /// <summary>Events that go in one transaction: taking in waits for it.</summary>
    private const int Portion = 2000;

    private static readonly TimeSpan Every = TimeSpan.FromHours(1);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await schema.ReadyAsync(stoppingToken);
        using var timer = new PeriodicTimer(Every, time);
        do
        {
            try
            {
                var before = time.GetUtcNow().AddDays(-options.Days);
                while (await store.PruneAsync(before, options.EventsMax, Portion, stoppingToken) == Portion)
                {
                    log.LogDebug("Pruning events taken in before {Before}", before);
                }
            }
            catch (Exception failure) when (!failure.IsStop(stoppingToken))
            {
                log.LogWarning(failure, "Pruning of events failed; it is tried again in {Every}", Every);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }
}
