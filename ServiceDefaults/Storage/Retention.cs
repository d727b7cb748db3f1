using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>Deletes what is no longer needed, in bounded batches so that nobody waits for it: events that were
/// delivered, are older than <see cref="EventsKeptFor"/> and not among the newest <see cref="EventsKeptMin"/>;
/// request ids older than <see cref="RequestLedger.KeptFor"/>. Replicas may do it at once; they then find less to
/// do.</summary>
internal sealed class Retention(
    OutboxStore outbox, SchemaGate schema, TimeProvider time, ILogger<Retention> logger, IEventSink? sink = null)
    : BackgroundService
{
    /// <summary>Events are kept at least as long, so that a Watch can resume.</summary>
    public static readonly TimeSpan EventsKeptFor = TimeSpan.FromHours(1);

    /// <summary>The newest events are kept whatever their age.</summary>
    public const long EventsKeptMin = 100_000;

    /// <summary>Most rows deleted by one statement.</summary>
    public const int RowsPerDeleteMax = 1000;

    private static readonly TimeSpan Every = TimeSpan.FromMinutes(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await schema.ReadyAsync(stoppingToken);
        using var timer = new PeriodicTimer(Every, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await RunOnceAsync(stoppingToken);
            }
            catch (Exception e) when (!e.IsStop(stoppingToken))
            {
                // Whatever the reason, what is kept too long is no reason for the service to end.
                logger.LogWarning(e, "Skipping the clean-up until the next one");
            }
        }
    }

    internal async Task RunOnceAsync(CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var progress = await outbox.ProgressAsync(ct);
        var through = sink is null ? progress.LastSequence : progress.DeliveredThrough;
        long pruned;
        do
        {
            pruned = await outbox.PruneAsync(through, EventsKeptMin, now - EventsKeptFor, RowsPerDeleteMax, ct);
        }
        while (pruned == RowsPerDeleteMax);

        int forgotten;
        do
        {
            forgotten = await outbox.ForgetRequestsAsync(now - RequestLedger.KeptFor, RowsPerDeleteMax, ct);
        }
        while (forgotten == RowsPerDeleteMax);
    }
}
