using Cloud.Protos.Metrics.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Rpc = Google.Rpc;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>Where numbered events go: the Metrics service, or, inside it, its own tables.</summary>
public interface IEventSink
{
    /// <summary>Takes events in order; what is known already is skipped.</summary>
    /// <param name="prunedThrough">Events up to this sequence are no longer kept here: a gap up to it is taken as it
    /// is.</param>
    /// <returns>The highest sequence now known of the source. Lower than what precedes the first event given: there
    /// is a gap, and delivery begins again from there.</returns>
    Task<long> AppendAsync(
        string source, IReadOnlyList<StoredEvent> events, long prunedThrough, CancellationToken ct);
}

/// <summary>Delivers to Metrics by gRPC (<c>EventIngestionService.AppendEvents</c>).</summary>
internal sealed class MetricsEventSink(EventIngestionService.EventIngestionServiceClient metrics) : IEventSink
{
    private const string GapReason = "SEQUENCE_GAP";

    public async Task<long> AppendAsync(
        string source, IReadOnlyList<StoredEvent> events, long prunedThrough, CancellationToken ct)
    {
        var request = new AppendEventsRequest { Source = source, PrunedThrough = prunedThrough };
        request.Events.AddRange(events.Select(e => ToProto(source, e)));
        try
        {
            return (await metrics.AppendEventsAsync(request, cancellationToken: ct)).AcknowledgedSequence;
        }
        catch (RpcException e) when (ExpectedOf(e) is { } expected)
        {
            return expected - 1;
        }
    }

    private static long? ExpectedOf(RpcException e) =>
        e.StatusCode == StatusCode.FailedPrecondition
        && e.GetRpcStatus()?.GetDetail<Rpc.ErrorInfo>() is { Reason: GapReason } gap
        && gap.Metadata.TryGetValue("expected", out var text)
        && long.TryParse(text, out var expected)
            ? expected
            : null;

    private static Event ToProto(string source, StoredEvent stored)
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
