using System.Globalization;
using Cloud.Events;
using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Webhooks;

/// <summary>Which page of a log is asked for.</summary>
/// <param name="Hash">Of the filter, for the page token.</param>
internal sealed record DeliveryPage(DeliveryFilter Filter, string Hash, long? Before, int Size);

/// <summary> The log of deliveries, and delivering again by hand: one, or a part of the feed. An event that is
/// delivered again has the id it had, and comes behind what waits of its resource.
/// </summary>
public sealed class Redelivery(
    WebhookStore webhooks,
    DeliveryStore deliveries,
    QueueStore queue,
    EventStore events,
    RequestLedger requests,
    Database database)
{
    private const string Segment = "/deliveries/";

    private const int DeliveryIdLengthMax = 40;

    private const int ResourceLengthMax = 200;

    /// <summary>Checks a list request.</summary>
    internal static DeliveryPage Check(Proto.ListWebhookDeliveriesRequest request)
    {
        var problems = new FieldProblems();
        var id = ResourceName.IdOf(request.Parent, Webhook.Collection, "parent", problems);
        foreach (var status in request.Statuses.Where(s => !StateNames<DeliveryStatus>.TryParse(s, out _)))
        {
            problems.Add(
                "statuses",
                $"'{status}' is no status; known are {string.Join(", ", StateNames<DeliveryStatus>.All)}",
                ErrorReason.StatusUnknown);
        }

        if (request.Resource.Length > ResourceLengthMax)
        {
            problems.Add(
                "resource", $"must be at most {ResourceLengthMax} characters", ErrorReason.ResourceNameInvalid);
        }

        var size = PageSize.Of(request.PageSize, problems);
        var hash = PageToken.HashOf(Segment, id, string.Join(',', request.Statuses), request.Resource);
        long? before = null;
        if (request.PageToken.Length > 0)
        {
            if (PageToken.TryDecode(request.PageToken, hash, out var key)
                && long.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out var position))
            {
                before = position;
            }
            else
            {
                problems.Add(
                    "page_token", "is not a token of this list with this filter; start without one",
                    ErrorReason.PageTokenInvalid);
            }
        }

        problems.ThrowIfAny();
        return new DeliveryPage(new DeliveryFilter(id, request.Statuses, request.Resource), hash, before, size);
    }

    /// <summary>A page of the log.</summary>
    internal async Task<Proto.ListWebhookDeliveriesResponse> ListAsync(DeliveryPage page, CancellationToken ct)
    {
        // One more than asked for tells whether there is a next page.
        var found = await deliveries.ListAsync(page.Filter, page.Before, page.Size + 1, ct);
        var answer = new Proto.ListWebhookDeliveriesResponse();
        var last = Page.Fill(answer.Deliveries, found, page.Size, delivery => delivery.ToProto());
        answer.NextPageToken = last is null
            ? "" : PageToken.Encode(page.Hash, last.Position.ToString(CultureInfo.InvariantCulture));
        return answer;
    }

    /// <summary>Saves what came of a ping.</summary>
    internal Task SaveAsync(WebhookDelivery ping, CancellationToken ct) =>
        database.InTransactionAsync((tx, token) => queue.SaveAsync(tx, ping, token), ct);

    /// <summary>One delivery again; one that waits for its next try has it now. Somebody asks by hand, so the
    /// receiver's own wish to be left alone ends.</summary>
    internal async Task<Proto.WebhookDelivery> AgainAsync(
        Proto.RedeliverWebhookDeliveryRequest request, string method, CancellationToken ct)
    {
        var (webhookId, id) = Parse(request.Name);
        var found = await deliveries.FindAsync(webhookId, id, ct) ?? throw Problem.NotFound(request.Name);
        var source = await SourceAsync(found, ct);
        return await requests.MutateAsync(
            method,
            request,
            async (tx, token) =>
            {
                await webhooks.ChangeAsync(tx, webhookId, LiveOnly, null, token);
                var progress = await queue.LockAsync(tx, webhookId, null, token);
                await queue.SaveAsync(tx, progress! with { PausedUntil = null }, token);
                var now = await queue.FindAsync(tx, webhookId, id, token) ?? throw Problem.NotFound(request.Name);
                if (now.Status != DeliveryStatus.Pending)
                {
                    await queue.QueueAsync(tx, webhookId, [source], token);
                }
                else if (now.NextAttemptAt > tx.Now)
                {
                    await queue.SaveAsync(tx, now with { NextAttemptAt = tx.Now }, token);
                }

                tx.NudgeAfterCommit(new Nudge(WebhookStore.NounName, webhookId));
                return (await queue.FindAsync(tx, webhookId, id, token))!.ToProto();
            },
            ct);
    }

    /// <summary>Checks a redelivery of a part of the feed.</summary>
    /// <returns>The webhook's id.</returns>
    internal async Task<string> CheckAsync(Proto.RedeliverWebhookDeliveriesRequest request, CancellationToken ct)
    {
        var feed = await events.PositionAsync(ct);
        var problems = new FieldProblems();
        var id = ResourceName.IdOf(request.Name, Webhook.Collection, "name", problems);
        if (request.AfterSequence < 0 || request.AfterSequence > feed.LastSequence)
        {
            problems.Add(
                "after_sequence", $"must be 0 to {feed.LastSequence}, the newest event",
                ErrorReason.AfterSequenceInvalid);
        }

        if (request.ThroughSequence < 0 || request.ThroughSequence > feed.LastSequence
            || (request.ThroughSequence > 0 && request.ThroughSequence <= request.AfterSequence))
        {
            problems.Add(
                "through_sequence", $"must be more than after_sequence and at most {feed.LastSequence}, or 0",
                ErrorReason.ThroughSequenceInvalid);
        }

        problems.ThrowIfAny();
        return request.AfterSequence == 0 || request.AfterSequence >= feed.PrunedThrough
            ? id
            : throw Problem.TokenExpired((feed.PrunedThrough + 1).ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>Begins it: from here on it goes on by itself, before what is new. Only what was looked at before is
    /// part of it; the rest comes anyway.</summary>
    internal async Task BeginAsync(
        DatabaseTransaction tx, Webhook webhook, Proto.RedeliverWebhookDeliveriesRequest request, CancellationToken ct)
    {
        var progress = await queue.LockAsync(tx, webhook.Id, null, ct);
        if (progress!.ReplayAfter is not null)
        {
            throw Problem.FailedPrecondition(
                ErrorReason.RedeliveryUnderWay,
                webhook.Name,
                webhook.State == WebhookState.Disabled
                    ? "An earlier redelivery waits for the webhook; enable it first."
                    : "An earlier redelivery is still being queued; wait until redelivery_sequence is 0.");
        }

        var through = request.ThroughSequence == 0
            ? progress.Sequence
            : Math.Min(request.ThroughSequence, progress.Sequence);
        if (request.AfterSequence < through)
        {
            await queue.SaveAsync(
                tx,
                progress with
                {
                    ReplayAfter = request.AfterSequence,
                    ReplayThrough = through,
                    ReplayOnlyFailed = request.OnlyFailed,
                },
                ct);
        }

        tx.NudgeAfterCommit(new Nudge(WebhookStore.NounName, webhook.Id));
    }

    /// <summary>Changes nothing; the row is locked from here on, and not of a deleted webhook.</summary>
    private static Webhook LiveOnly(Webhook webhook)
    {
        WebhookChecks.RefuseDeleted(webhook, "redeliver to");
        return webhook;
    }

    private static (string WebhookId, string Id) Parse(string name)
    {
        var problems = new FieldProblems();
        var split = name.IndexOf(Segment, StringComparison.Ordinal);
        var id = split < 0 ? "" : name[(split + Segment.Length)..];
        var webhookId = split < 0 ? "" : name[..split];
        if (id.Length is 0 or > DeliveryIdLengthMax
            || !id.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-'))
        {
            problems.Add("name", "must be webhooks/{id}/deliveries/{id}", ErrorReason.ResourceNameInvalid);
        }
        else
        {
            webhookId = ResourceName.IdOf(webhookId, Webhook.Collection, "name", problems);
        }

        problems.ThrowIfAny();
        return (webhookId, id);
    }

    private async Task<RecordedEvent> SourceAsync(WebhookDelivery delivery, CancellationToken ct)
    {
        if (delivery.Sequence == 0)
        {
            throw Problem.FailedPrecondition(
                ErrorReason.PingNotRedelivered, delivery.Name, "A ping is no event; TestWebhook sends a new one.");
        }

        return (await events.FindAsync([delivery.Sequence], ct)).GetValueOrDefault(delivery.Sequence)
            ?? throw Problem.FailedPrecondition(
                ErrorReason.EventNotKept, delivery.Name, "The feed no longer has the event.");
    }
}
