using Cloud.Protos.Metrics.V1;
using Google.Protobuf.WellKnownTypes;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>Events as they are handed to the feed.</summary>
public static class EventMessages
{
    /// <summary>The message of an event; what only this service may see is left out.</summary>
    public static Event Of(string source, StoredEvent stored)
    {
        var e = stored.Event;
        return new Event
        {
            Source = source,
            SourceSequence = stored.Sequence,
            ResourceType = e.ResourceType,
            Resource = e.Resource,
            Installation = e.Parent ?? "",
            Type = e.Type,
            OldState = e.OldState ?? "",
            NewState = e.NewState ?? "",
            Reason = e.Reason ?? "",
            ErrorCode = e.ErrorCode ?? "",
            Actor = e.Actor ?? "",
            RequestId = e.RequestId ?? "",
            TraceId = e.TraceId ?? "",
            ResourceVersion = e.ResourceVersion,
            OccurTime = Timestamp.FromDateTimeOffset(e.OccurredAt),
        };
    }
}
