using System.Diagnostics.Metrics;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;

namespace Cloud.Webhooks;

/// <summary>
/// Wakes webhooks whose nudge was lost, keeps the log short and the gauges of the queue true:
/// <c>cloud.webhook.pending</c> and <c>cloud.webhook.oldest_pending.age</c>. Every replica does it and shows the whole:
/// take the maximum over replicas.
/// </summary>
public sealed class DeliveryUpkeep : BackgroundService
{
    /// <summary>Log entries that go in one statement.</summary>
    private const int Portion = 1000;

    private static readonly TimeSpan CountEvery = TimeSpan.FromSeconds(30);

    /// <summary>Counts between two prunings: about every ten minutes.</summary>
    private const int CountsPerPruning = 20;

    /// <summary>A webhook that was looked at more lately than this is not behind: events that it does not want wake
    /// nobody, and there may always be a new one.</summary>
    private static readonly TimeSpan BehindAfter = TimeSpan.FromMinutes(1);

    private readonly DeliveryStore _deliveries;
    private readonly INudges _nudges;
    private readonly WebhookOptions _options;
    private readonly SchemaGate _schema;
    private readonly TimeProvider _time;
    private readonly ILogger<DeliveryUpkeep> _log;

    private long _pending;
    private long _oldestTicks;

    public DeliveryUpkeep(
        DeliveryStore deliveries,
        INudges nudges,
        WebhookOptions options,
        SchemaGate schema,
        IMeterFactory meters,
        TimeProvider time,
        ILogger<DeliveryUpkeep> log)
    {
        (_deliveries, _nudges, _options) = (deliveries, nudges, options);
        (_schema, _time, _log) = (schema, time, log);
        var meter = meters.Create(WebhookMeter.Name);
        meter.CreateObservableGauge(
            "cloud.webhook.pending", () => Interlocked.Read(ref _pending), "{delivery}", "Deliveries that wait.");
        meter.CreateObservableGauge(
            "cloud.webhook.oldest_pending.age", OldestAge, "s", "How long the oldest of them has waited; 0 for none.");
    }

    /// <summary>Deletes what the log no longer keeps.</summary>
    internal async Task PruneAsync(CancellationToken ct)
    {
        var before = _time.GetUtcNow().AddDays(-_options.LogDays);
        while (await _deliveries.PruneAsync(before, _options.LogDeliveries, Portion, ct) >= Portion)
        {
            _log.LogDebug("Pruning deliveries finished before {Before}", before);
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await _schema.ReadyAsync(stoppingToken);
        using var timer = new PeriodicTimer(CountEvery, _time);
        var untilPruning = 0;
        do
        {
            try
            {
                var (pending, oldest) = await _deliveries.PendingAsync(stoppingToken);
                Interlocked.Exchange(ref _pending, pending);
                Interlocked.Exchange(ref _oldestTicks, oldest?.UtcTicks ?? 0);
                await WakeAsync(stoppingToken);
                if (untilPruning-- == 0)
                {
                    untilPruning = CountsPerPruning;
                    await PruneAsync(stoppingToken);
                }
            }
            catch (Exception failure) when (!failure.IsStop(stoppingToken))
            {
                _log.LogWarning(failure, "Upkeep of the deliveries failed; it is tried again in {Every}", CountEvery);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private async Task WakeAsync(CancellationToken ct)
    {
        foreach (var id in await _deliveries.BehindAsync(_deliveries.Now - BehindAfter, ct))
        {
            await _nudges.SendAsync(new Nudge(WebhookStore.NounName, id), ct);
        }
    }

    private double OldestAge() => Interlocked.Read(ref _oldestTicks) is > 0 and var ticks
        ? (_time.GetUtcNow() - new DateTimeOffset(ticks, TimeSpan.Zero)).TotalSeconds
        : 0;
}
