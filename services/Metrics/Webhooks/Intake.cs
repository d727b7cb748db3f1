using Cloud.Events;

namespace Cloud.Webhooks;

/// <summary>
/// From the feed into a webhook's queue: a part of the feed at a time, with the place that was reached in the same
/// transaction, so that each event is queued once whatever crashes. A redelivery of an old part of the feed comes first
/// and keeps its own place.
/// </summary>
public sealed class Intake(EventStore events, DeliveryStore deliveries, QueueStore queue, ILogger<Intake> log)
{
    /// <summary>Events that are looked at in one go.</summary>
    public const int EventsMax = 500;

    /// <summary>A webhook's own filter is applied here, not by the store: it has prefixes, and hardly an index would
    /// help.</summary>
    private static readonly EventFilter Everything = new() { Hash = "" };

    /// <summary>Takes the next part in.</summary>
    /// <returns>Whether there is more.</returns>
    public async Task<bool> TakeInAsync(Webhook webhook, CancellationToken ct)
    {
        var progress = await deliveries.ProgressAsync(webhook.Id, ct);
        var isReplay = progress.ReplayAfter is not null;
        var from = progress.ReplayAfter ?? progress.Sequence;
        var end = progress.ReplayThrough ?? (await events.PositionAsync(ct)).LastSequence;
        if (!isReplay && from >= end)
        {
            return false;
        }

        var found = await events.ReadAsync(Everything, from, end, EventsMax, ct);
        // Asked for after the events, so that nothing can have been let go unnoticed.
        var kept = await events.PositionAsync(ct);
        if (from < kept.PrunedThrough && !isReplay)
        {
            log.LogWarning(
                "Leaving out events {From} to {Through} for {Webhook}: the feed no longer has them",
                from + 1, kept.PrunedThrough, webhook.Name);
        }

        var reached = found.Count == EventsMax ? found[^1].Sequence : end;
        await queue.AsWorkerAsync(
            webhook,
            async (tx, current, token) =>
            {
                if (current.ReplayAfter != progress.ReplayAfter || current.Sequence != progress.Sequence)
                {
                    return; // A request moved the place meanwhile; the next look begins there.
                }

                var wanted = found.Where(webhook.Wants).ToList();
                if (isReplay && current.ReplayOnlyFailed)
                {
                    var failed = await queue.FailedAsync(tx, webhook.Id, wanted.Select(e => e.Sequence), token);
                    wanted.RemoveAll(e => !failed.Contains(e.Sequence));
                }

                await queue.QueueAsync(tx, webhook.Id, wanted, token);
                var after = isReplay ? Replayed(current, reached) : current with { Sequence = reached };
                await queue.SaveAsync(tx, after, token);
            },
            ct);
        return isReplay || reached < end;
    }

    private static WebhookProgress Replayed(WebhookProgress progress, long reached) =>
        reached < progress.ReplayThrough
            ? progress with { ReplayAfter = reached }
            : progress with { ReplayAfter = null, ReplayThrough = null, ReplayOnlyFailed = false };
}
