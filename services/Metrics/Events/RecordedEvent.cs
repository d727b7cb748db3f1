using Cloud.ServiceDefaults.Storage;
using Google.Protobuf.WellKnownTypes;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Events;

/// <summary>An event of the feed. Texts that do not apply are empty, as on the wire.</summary>
public sealed record RecordedEvent
{
    /// <summary>The feed's own number: by one per event, no gaps.</summary>
    public long Sequence { get; init; }

    /// <summary>The service it comes from.</summary>
    public required string Source { get; init; }

    /// <summary>Its number in that service's outbox: by one, no gaps.</summary>
    public long SourceSequence { get; init; }

    /// <summary>Which of the source's histories that number is of: 1, and 1 more whenever it was restored from an older
    /// backup.</summary>
    public long SourceGeneration { get; init; } = 1;

    public required string ResourceType { get; init; }

    public required string Resource { get; init; }

    /// <summary>Resource name of the installation that this belongs to; empty when to none.</summary>
    public required string Installation { get; init; }

    public required string Type { get; init; }

    public required string OldState { get; init; }

    public required string NewState { get; init; }

    public required string Reason { get; init; }

    public required string ErrorCode { get; init; }

    public required string Actor { get; init; }

    public required string RequestId { get; init; }

    public required string TraceId { get; init; }

    /// <summary>Version of the resource's row after the change.</summary>
    public long ResourceVersion { get; init; }

    /// <summary>When it was committed where it happened.</summary>
    public DateTimeOffset OccurredAt { get; init; }

    /// <summary>As a source hands it in; the feed's own numbers come later.</summary>
    public static RecordedEvent From(string source, Proto.Event e) => new()
    {
        Source = source,
        SourceSequence = e.SourceSequence,
        ResourceType = e.ResourceType,
        Resource = e.Resource,
        Installation = e.Installation,
        Type = e.Type,
        OldState = e.OldState,
        NewState = e.NewState,
        Reason = e.Reason,
        ErrorCode = e.ErrorCode,
        Actor = e.Actor,
        RequestId = e.RequestId,
        TraceId = e.TraceId,
        ResourceVersion = e.ResourceVersion,
        // In microseconds, as the table keeps it: what is handed in again must equal what was kept.
        OccurredAt = DateTimeOffset.FromUnixTimeSeconds(e.OccurTime.Seconds).AddMicroseconds(e.OccurTime.Nanos / 1000),
    };

    /// <summary>What the feed itself says about a source.</summary>
    /// <param name="type"><see cref="EventTypes.SourceRestored"/> or <see cref="EventTypes.EventsLost"/>.</param>
    public static RecordedEvent About(
        SourceHistory source, string type, string reason, DateTimeOffset occurredAt) => new()
    {
        Source = source.Source,
        SourceSequence = source.Sequence,
        SourceGeneration = source.Generation,
        ResourceType = "source",
        Resource = $"sources/{source.Source}",
        Installation = "",
        Type = type,
        OldState = "",
        NewState = "",
        Reason = reason,
        ErrorCode = "",
        Actor = "metrics",
        RequestId = "",
        TraceId = "",
        OccurredAt = occurredAt,
    };

    /// <summary>Whether both tell of the same change: a source never gives one number to two changes, unless it was
    /// restored.</summary>
    public bool IsSameAs(RecordedEvent other) =>
        (Resource, Type, ResourceVersion, OccurredAt)
        == (other.Resource, other.Type, other.ResourceVersion, other.OccurredAt);

    /// <summary>As the API shows it.</summary>
    public Proto.Event ToProto() => new()
    {
        Name = $"events/{Sequence}",
        Sequence = Sequence,
        Source = Source,
        SourceSequence = SourceSequence,
        ResourceType = ResourceType,
        Resource = Resource,
        Installation = Installation,
        Type = Type,
        OldState = OldState,
        NewState = NewState,
        Reason = Reason,
        ErrorCode = ErrorCode,
        Actor = Actor,
        RequestId = RequestId,
        TraceId = TraceId,
        ResourceVersion = ResourceVersion,
        OccurTime = OccurredAt.ToTimestamp(),
        SourceGeneration = SourceGeneration,
    };
}

/// <summary>How far the feed goes.</summary>
/// <param name="LastSequence">The newest event; 0 before the first.</param>
/// <param name="PrunedThrough">Everything up to here is no longer kept.</param>
public sealed record FeedPosition(long LastSequence, long PrunedThrough);
