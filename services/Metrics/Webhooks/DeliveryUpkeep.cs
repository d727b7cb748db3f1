using System.Diagnostics.Metrics;
using Cloud.ServiceDefaults.Storage;
using Npgsql;

namespace Cloud.Webhooks;

/// <summary>
/// Keeps the log short and the gauges of the queue true: <c>cloud.webhook.pending</c> and
/// <c>cloud.webhook.oldest_pending.age</c>. Every replica does it and shows the whole: take the maximum over replicas.
/// </summary>
public sealed class DeliveryUpkeep : BackgroundService
{
    /// <summary>Log entries that go in one statement.</summary>
    private const int Portion = 1000;

    private static readonly TimeSpan CountEvery = TimeSpan.FromSeconds(30);

    /// <summary>Counts between two prunings: about every ten minutes.</summary>
    private const int CountsPerPruning = 20;

    private readonly DeliveryStore _deliveries;
    private readonly WebhookOptions _options;
    private readonly SchemaGate _schema;
    private readonly TimeProvider _time;
    private readonly ILogger<DeliveryUpkeep> _log;

    private long _pending;
    private long _oldestTicks;

    public DeliveryUpkeep(
        DeliveryStore deliveries,
        WebhookOptions options,
        SchemaGate schema,
        IMeterFactory meters,
        TimeProvider time,
        ILogger<DeliveryUpkeep> log)
    {
        (_deliveries, _options, _schema, _time, _log) = (deliveries, options, schema, time, log);
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
                if (untilPruning-- == 0)
                {
                    untilPruning = CountsPerPruning;
                    await PruneAsync(stoppingToken);
                }
            }
            catch (Exception failure) when (failure is NpgsqlException or TimeoutException)
            {
                _log.LogWarning(failure, "Upkeep of the deliveries failed; it is tried again in {Every}", CountEvery);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private double OldestAge() => Interlocked.Read(ref _oldestTicks) is > 0 and var ticks
        ? (_time.GetUtcNow() - new DateTimeOffset(ticks, TimeSpan.Zero)).TotalSeconds
        : 0;
}
