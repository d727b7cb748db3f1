namespace Cloud.Webhooks;

/// <summary>How far a webhook has come; moves with every delivery.</summary>
public sealed record WebhookProgress
{
    public required string WebhookId { get; init; }

    /// <summary>Events of the feed up to here were looked at.</summary>
    public required long Sequence { get; init; }

    /// <summary>A redelivery of a part of the feed goes on after this; null when none is under way.</summary>
    public long? ReplayAfter { get; init; }

    /// <summary>Where it ends.</summary>
    public long? ReplayThrough { get; init; }

    /// <summary>Whether it is about failed deliveries alone.</summary>
    public bool ReplayOnlyFailed { get; init; }

    /// <summary>Since when nothing was taken of what was tried; null while it goes well.</summary>
    public DateTimeOffset? FailingSince { get; init; }

    /// <summary>When the last that was taken was sent.</summary>
    public DateTimeOffset? SucceededAt { get; init; }

    /// <summary>Until when the receiver asked to be left alone.</summary>
    public DateTimeOffset? PausedUntil { get; init; }
}

/// <summary>How a webhook's deliveries go, counted.</summary>
/// <param name="Progress">How far it has come.</param>
/// <param name="Pending">Deliveries that wait or are tried.</param>
/// <param name="OldestQueuedAt">When the oldest of them was queued.</param>
public sealed record WebhookBacklog(WebhookProgress Progress, long Pending, DateTimeOffset? OldestQueuedAt);
