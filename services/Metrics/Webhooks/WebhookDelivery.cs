using System.Globalization;
using System.Text.Json.Serialization;
using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Hosting;

namespace Cloud.Webhooks;

/// <summary>How a delivery stands. Public names are the kebab-case ones.</summary>
public enum DeliveryStatus
{
    /// <summary>To be tried, or tried again.</summary>
    Pending,

    /// <summary>The receiver took it.</summary>
    Succeeded,

    /// <summary>Tried for as long as <see cref="RetrySchedule.GiveUpAfter"/>, while other events were taken.</summary>
    Failed,

    /// <summary>Nobody wants it any more.</summary>
    Cancelled,
}

/// <summary>One event, or ping, for one webhook: a place in its queue while pending, an entry of its log
/// after.</summary>
public sealed record WebhookDelivery
{
    /// <summary>Type of the body of a ping.</summary>
    public const string PingType = "ping";

    /// <summary>Attempts that the log of a delivery keeps.</summary>
    public const int LogMax = 50;

    public required string WebhookId { get; init; }

    /// <summary>The event's sequence, so that an event is one delivery however often it is queued; random for a
    /// ping.</summary>
    public required string Id { get; init; }

    /// <summary>Place in the log; grows with every new delivery.</summary>
    public long Position { get; init; }

    /// <summary>The event's number in the feed; 0 for a ping.</summary>
    public long Sequence { get; init; }

    /// <summary>As in the body.</summary>
    public required string EventType { get; init; }

    /// <summary>Resource name of what the event is about; empty for a ping.</summary>
    public required string Resource { get; init; }

    public DeliveryStatus Status { get; init; }

    /// <summary>Place in the queue among those of the same resource.</summary>
    public long Queued { get; init; }

    /// <summary>When it was last queued.</summary>
    public DateTimeOffset QueuedAt { get; init; }

    /// <summary>Attempts since then.</summary>
    public int Attempts { get; init; }

    /// <summary>When the first of them ended.</summary>
    public DateTimeOffset? FirstAttemptAt { get; init; }

    /// <summary>When it is tried next; null when it is not, or waits for an earlier one of its resource.</summary>
    public DateTimeOffset? NextAttemptAt { get; init; }

    public DateTimeOffset? FinishedAt { get; init; }

    public DateTimeOffset CreateTime { get; init; }

    /// <summary>The newest attempts, oldest first.</summary>
    public IReadOnlyList<DeliveryAttempt> Log { get; init; } = [];

    /// <summary>What the receiver tells doubles by: the same for every attempt. It has no dot, which separates the
    /// signed parts.</summary>
    public string MessageId => $"msg_{WebhookId}_{Id}";

    /// <summary>Resource name.</summary>
    public string Name => $"{Webhook.NameOf(WebhookId)}/deliveries/{Id}";

    /// <summary>The delivery id of an event.</summary>
    public static string IdOf(long sequence) => sequence.ToString(CultureInfo.InvariantCulture);
}

/// <summary>One try to deliver.</summary>
public sealed record DeliveryAttempt
{
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>How long it took, in milliseconds.</summary>
    public required double Milliseconds { get; init; }

    /// <summary>Status of the answer; 0 when there was none.</summary>
    public int HttpStatus { get; init; }

    /// <summary>Why it failed, as it is stored; empty for a success.</summary>
    public string ErrorCode { get; init; } = "";

    /// <summary>The same as a code of the contract.</summary>
    [JsonIgnore]
    public ErrorReason Reason => ErrorReasons.Of(ErrorCode);

    /// <summary>The same in words.</summary>
    public string Error { get; init; } = "";

    /// <summary>The beginning of the answer's body.</summary>
    public string Response { get; init; } = "";

    public bool Succeeded => ErrorCode.Length == 0;
}
