using Cloud.Events;
using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using static Cloud.ServiceDefaults.Supervision.Outcome;
using Answer = Cloud.ServiceDefaults.Supervision.Outcome<Cloud.Webhooks.Webhook, Cloud.Webhooks.WebhookState>;

namespace Cloud.Webhooks;

/// <summary>
/// enabled: what came into the feed is queued, and what is due in the queue is posted, all at once and once each.
/// <para>Guarantees: an event that was queued is posted until the receiver takes it or it is given up; of a resource,
/// the next is posted only after that. Each answer is recorded by itself as soon as it is there, so a crash or a stop
/// repeats only what was under way then; a repeat has the same id. A worker whose webhook was taken over records
/// nothing.</para>
/// <para>One webhook is one row of the loop and has one turn at a time: a dead receiver holds its own turn only, for as
/// long as its slowest request (<see cref="WebhookSender.Timeout"/>).</para>
/// </summary>
public sealed class Delivery(
    Intake intake,
    EventStore events,
    DeliveryStore deliveries,
    QueueStore queue,
    WebhookSecrets secrets,
    WebhookSender sender,
    WebhookMeter meter,
    TimeProvider time)
{
    /// <summary>Requests to one receiver at once.</summary>
    public const int AtOnceMax = 16;

    /// <summary>How often a webhook that nothing wakes looks at the feed by itself: seldom, since each look is a whole
    /// turn; <see cref="DeliveryUpkeep"/> wakes those whose nudge was lost.</summary>
    public static readonly TimeSpan LookEvery = TimeSpan.FromHours(1);

    /// <summary>Longest time of one step: the slowest request, and what comes before and after it.</summary>
    public static readonly TimeSpan Deadline = WebhookSender.Timeout + TimeSpan.FromSeconds(30);

    /// <summary>How long the answer of a ping is waited for: its caller waits too.</summary>
    private static readonly TimeSpan PingTimeout = TimeSpan.FromSeconds(10);

    /// <summary>How long recording an answer may take when the step itself was cancelled.</summary>
    private static readonly TimeSpan RecordWithin = TimeSpan.FromSeconds(5);

    private enum Verdict
    {
        Recorded,
        Gone,
        Dead,
    }

    /// <summary>enabled.</summary>
    public async Task<Answer> DeliverAsync(Webhook webhook, CancellationToken ct)
    {
        var keys = secrets.SigningKeys(webhook, time.GetUtcNow());
        var headers = secrets.Headers(webhook);
        var hasMore = await intake.TakeInAsync(webhook, ct);
        var paused = (await deliveries.ProgressAsync(webhook.Id, ct)).PausedUntil;
        if (paused <= deliveries.Now)
        {
            paused = null;
        }

        if (paused is null)
        {
            var due = await deliveries.DueAsync(webhook.Id, AtOnceMax, ct);
            if (due.Count > 0)
            {
                var sources = await events.FindAsync([.. due.Select(d => d.Sequence)], ct);
                var verdicts = await Task.WhenAll(due.Select(delivery =>
                    AttemptAsync(webhook, delivery, sources.GetValueOrDefault(delivery.Sequence), keys, headers, ct)));
                GiveUpIf(webhook, verdicts);
            }
        }

        return hasMore ? Wait("", TimeSpan.Zero) : await RestAsync(webhook, ct);
    }

    /// <summary>Posts a ping and records how that went, without any consequence.</summary>
    internal async Task<WebhookDelivery> PingAsync(Webhook webhook, WebhookDelivery ping, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var message = new OutgoingMessage(
            webhook.Url,
            ping.MessageId,
            Payload.OfPing(webhook, now),
            secrets.SigningKeys(webhook, now),
            secrets.Headers(webhook));
        var result = await sender.SendAsync(message, PingTimeout, ct);
        meter.Attempted(result.Attempt);
        var ended = deliveries.Now;
        return ping with
        {
            Status = result.Attempt.Succeeded ? DeliveryStatus.Succeeded : DeliveryStatus.Failed,
            Attempts = 1,
            FirstAttemptAt = ended,
            FinishedAt = ended,
            Log = [result.Attempt],
        };
    }

    private void GiveUpIf(Webhook webhook, Verdict[] verdicts)
    {
        if (verdicts.Contains(Verdict.Gone))
        {
            throw GivenUp(ErrorReason.WebhookGone, "The receiver answered 410 Gone: it wants no more.");
        }

        if (verdicts.Contains(Verdict.Dead))
        {
            var host = new Uri(webhook.Url).Host;
            throw GivenUp(
                ErrorReason.WebhookFailing,
                $"Nothing was delivered to {host} for {RetrySchedule.GiveUpAfter.TotalHours:0} hours.");
        }
    }

    private StepException GivenUp(ErrorReason reason, string message)
    {
        meter.Disabled(reason);
        return new StepException(reason, $"{message} What was not delivered waits until it is enabled again.");
    }

    /// <summary>Nothing can be done now: until when, and what is waited for.</summary>
    private async Task<Answer> RestAsync(Webhook webhook, CancellationToken ct)
    {
        var progress = await deliveries.ProgressAsync(webhook.Id, ct);
        var due = await deliveries.NextDueAsync(webhook.Id, ct);
        if (due is { } next && progress.PausedUntil > next)
        {
            due = progress.PausedUntil;
        }

        var wait = due - deliveries.Now ?? LookEvery;
        var why = progress.FailingSince is { } since
            ? $"the receiver must take what is sent to it, which it has not since {since.UtcDateTime:u}"
            : "";
        return Wait(why, wait < TimeSpan.Zero ? TimeSpan.Zero : wait < LookEvery ? wait : LookEvery);
    }

    private async Task<Verdict> AttemptAsync(
        Webhook webhook,
        WebhookDelivery delivery,
        RecordedEvent? source,
        IReadOnlyList<byte[]> keys,
        IReadOnlyDictionary<string, string> headers,
        CancellationToken ct)
    {
        var result = source is null
            ? new SendResult(NotKept(), null)
            : await sender.SendAsync(
                new OutgoingMessage(webhook.Url, delivery.MessageId, Payload.Of(source), keys, headers),
                WebhookSender.Timeout,
                ct);
        meter.Attempted(result.Attempt);

        // The receiver has answered. A step that is stopped just now still records it: what is not recorded is
        // repeated.
        using var brief = new CancellationTokenSource(RecordWithin, time);
        var verdict = Verdict.Recorded;
        await queue.AsWorkerAsync(
            webhook,
            async (tx, progress, token) =>
            {
                if (await queue.FindAsync(tx, webhook.Id, delivery.Id, token) is { Status: DeliveryStatus.Pending } now)
                {
                    verdict = await RecordAsync(tx, progress, now, result, token);
                }
            },
            brief.Token);
        return verdict;
    }

    private DeliveryAttempt NotKept() => new()
    {
        StartedAt = time.GetUtcNow(),
        Milliseconds = 0,
        ErrorCode = ErrorReason.EventNotKept.Text(),
        Error = "The feed no longer has the event.",
    };

    private async Task<Verdict> RecordAsync(
        DatabaseTransaction tx,
        WebhookProgress progress,
        WebhookDelivery delivery,
        SendResult result,
        CancellationToken ct)
    {
        var attempt = result.Attempt;
        var tried = delivery with
        {
            Attempts = delivery.Attempts + 1,
            FirstAttemptAt = delivery.FirstAttemptAt ?? tx.Now,
            Log = [.. delivery.Log.TakeLast(WebhookDelivery.LogMax - 1), attempt],
        };
        var isLate = tx.Now - tried.FirstAttemptAt >= RetrySchedule.GiveUpAfter;

        // What was sent beside the first attempt and taken proves nothing: the receiver may have gone away between.
        var othersWereTaken = progress.SucceededAt > tried.FirstAttemptAt;
        var isDead = isLate && !attempt.Succeeded && !othersWereTaken;
        var after = attempt switch
        {
            { Succeeded: true } => Finished(tried, DeliveryStatus.Succeeded, tx.Now),
            { Reason: ErrorReason.EventNotKept } => Finished(tried, DeliveryStatus.Failed, tx.Now),
            _ when isLate && !isDead => Finished(tried, DeliveryStatus.Failed, tx.Now),
            _ => tried with { NextAttemptAt = tx.Now + Later(RetrySchedule.After(tried.Attempts), result.RetryAfter) },
        };
        await queue.SaveAsync(tx, after, ct);
        if (attempt.Reason != ErrorReason.EventNotKept)
        {
            await queue.SaveAsync(tx, Moved(progress, attempt, result.RetryAfter, tx.Now), ct);
        }

        if (after.Status != DeliveryStatus.Pending)
        {
            await queue.ReleaseAsync(tx, delivery.WebhookId, [delivery.Resource], ct);
            meter.Finished(after.Status, tx.Now - delivery.QueuedAt);
        }

        return attempt.Reason == ErrorReason.ReceiverGone ? Verdict.Gone : isDead ? Verdict.Dead : Verdict.Recorded;
    }

    private static WebhookDelivery Finished(WebhookDelivery delivery, DeliveryStatus status, DateTimeOffset now) =>
        delivery with { Status = status, NextAttemptAt = null, FinishedAt = now };

    private static WebhookProgress Moved(
        WebhookProgress progress, DeliveryAttempt attempt, TimeSpan? retryAfter, DateTimeOffset now) =>
        attempt.Succeeded
            ? progress with { FailingSince = null, SucceededAt = attempt.StartedAt }
            : progress with
            {
                FailingSince = progress.FailingSince ?? attempt.StartedAt,
                PausedUntil = retryAfter is { } wait ? now + wait : progress.PausedUntil,
            };

    private static TimeSpan Later(TimeSpan planned, TimeSpan? asked) => asked > planned ? asked.Value : planned;
}
