using System.Globalization;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Google.Protobuf.WellKnownTypes;
using Proto = Cloud.Protos.Metrics.V1;
using Supervision = Cloud.Protos.Supervision.V1;

namespace Cloud.Webhooks;

/// <summary>Webhooks and deliveries as the API shows them. Secrets and the values of headers are never part of it; a
/// secret that was just made is put in by the service.</summary>
internal static class WebhookMessages
{
    /// <summary>What stands for a header's value.</summary>
    public const string Masked = "********";

    /// <summary>The row's etag.</summary>
    public static string Etag(this Webhook webhook) => webhook.Version.ToString(CultureInfo.InvariantCulture);

    /// <summary>The row as a message.</summary>
    /// <param name="webhook">The row.</param>
    /// <param name="backlog">How its deliveries go, where that is known.</param>
    public static Proto.Webhook ToProto(this Webhook webhook, WebhookBacklog? backlog)
    {
        var message = new Proto.Webhook
        {
            Name = webhook.Name,
            DisplayName = webhook.DisplayName,
            Url = webhook.Url,
            Filter = webhook.Filter.ToProto(),
            State = StateNames<WebhookState>.Of(webhook.State),
            Progress = SupervisionMessages.ProgressOf(webhook),
            DeliveryStatus = backlog?.ToProto(),
            OldSecretsExpireTime = webhook.OldSecrets.Max(old => (DateTimeOffset?)old.ValidUntil)?.ToTimestamp(),
            CreateTime = webhook.CreateTime.ToTimestamp(),
            UpdateTime = webhook.UpdateTime.ToTimestamp(),
            DeleteTime = webhook.State == WebhookState.Deleted ? webhook.StateSince.ToTimestamp() : null,
            Etag = webhook.Etag(),
        };
        foreach (var name in webhook.Headers.Keys)
        {
            message.Headers.Add(name, Masked);
        }

        return message;
    }

    /// <summary>A filter as a message.</summary>
    public static Proto.WebhookFilter ToProto(this WebhookFilter filter) => new()
    {
        ResourceTypes = { filter.ResourceTypes },
        Types_ = { filter.Types },
        ResourcePrefixes = { filter.ResourcePrefixes },
        Installation = filter.Installation,
        States = { filter.States },
    };

    /// <summary>The filter that a message means.</summary>
    public static WebhookFilter FromProto(Proto.WebhookFilter? filter) => new()
    {
        ResourceTypes = [.. filter?.ResourceTypes ?? []],
        Types = [.. filter?.Types_ ?? []],
        ResourcePrefixes = [.. filter?.ResourcePrefixes ?? []],
        Installation = filter?.Installation ?? "",
        States = [.. filter?.States ?? []],
    };

    /// <summary>A delivery with its log.</summary>
    public static Proto.WebhookDelivery ToProto(this WebhookDelivery delivery) => new()
    {
        Name = delivery.Name,
        MessageId = delivery.MessageId,
        Event = delivery.Sequence == 0 ? "" : $"events/{WebhookDelivery.IdOf(delivery.Sequence)}",
        EventType = delivery.EventType,
        Resource = delivery.Resource,
        Status = StateNames<DeliveryStatus>.Of(delivery.Status),
        AttemptCount = delivery.Attempts,
        NextAttemptTime = delivery.NextAttemptAt?.ToTimestamp(),
        CreateTime = delivery.CreateTime.ToTimestamp(),
        FinishTime = delivery.FinishedAt?.ToTimestamp(),
        Attempts = { delivery.Log.Select(ToProto) },
    };

    /// <summary>Where it stands and what an operator can do about it.</summary>
    public static Supervision.Explanation Explain(this Webhook webhook, WebhookBacklog backlog, DateTimeOffset now)
    {
        var explanation = new Supervision.Explanation
        {
            Resource = webhook.Name,
            Service = "metrics",
            State = StateNames<WebhookState>.Of(webhook.State),
            Summary = Summary(webhook, backlog, now),
            Progress = SupervisionMessages.ProgressOf(webhook),
            Owner = webhook.ClaimedBy ?? "",
        };
        explanation.Advice.AddRange(Advice(webhook, backlog));
        return explanation;
    }

    private static Proto.WebhookAttempt ToProto(DeliveryAttempt attempt) => new()
    {
        StartTime = attempt.StartedAt.ToTimestamp(),
        Duration = TimeSpan.FromMilliseconds(attempt.Milliseconds).ToDuration(),
        HttpStatus = attempt.HttpStatus,
        ErrorCode = attempt.ErrorCode,
        Error = attempt.Error,
        Response = attempt.Response,
    };

    public static Proto.WebhookDeliveryStatus ToProto(this WebhookBacklog backlog) => new()
    {
        Sequence = backlog.Progress.Sequence,
        PendingCount = backlog.Pending,
        OldestPendingTime = backlog.OldestQueuedAt?.ToTimestamp(),
        FailingSince = backlog.Progress.FailingSince?.ToTimestamp(),
        LastSuccessTime = backlog.Progress.SucceededAt?.ToTimestamp(),
        PausedUntil = backlog.Progress.PausedUntil?.ToTimestamp(),
        // One from the feed's beginning has reached 0 until its first part is queued, and is under way all the same.
        RedeliverySequence = backlog.Progress.ReplayAfter is { } reached ? Math.Max(reached, 1) : 0,
    };

    private static string Summary(Webhook webhook, WebhookBacklog backlog, DateTimeOffset now)
    {
        var pending = string.Create(CultureInfo.InvariantCulture, $"{backlog.Pending} deliveries wait");
        return webhook.State switch
        {
            WebhookState.Deleted => "It was deleted.",
            WebhookState.Disabled when webhook.LastError is { } error => $"It was disabled: {error}",
            WebhookState.Disabled => $"It was disabled by request; {pending}, and what happens meanwhile.",
            WebhookState.Enabled when backlog.Progress.PausedUntil is { } until && until > now =>
                $"The receiver asked to be left alone until {until.UtcDateTime:u}; {pending}.",
            WebhookState.Enabled when backlog.Progress.FailingSince is { } since =>
                $"Nothing was delivered since {since.UtcDateTime:u}, {pending}; each is tried again for "
                + $"{RetrySchedule.GiveUpAfter.TotalHours:0} hours.",
            WebhookState.Enabled when backlog.Pending > 0 => $"Delivering; {pending}.",
            WebhookState.Enabled => "Everything was delivered.",
        };
    }

    private static IEnumerable<string> Advice(Webhook webhook, WebhookBacklog backlog)
    {
        if (webhook.State == WebhookState.Disabled)
        {
            yield return "EnableWebhook goes on from where it stopped; with skip_missed from now on.";
        }

        if (webhook.State == WebhookState.Enabled && backlog.Progress.FailingSince is not null)
        {
            yield return "ListWebhookDeliveries shows what the receiver answers; TestWebhook asks it now.";
            yield return "When it is well again, EnableWebhook tries at once what waits.";
        }
    }
}
