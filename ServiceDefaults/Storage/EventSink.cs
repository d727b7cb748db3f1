using Cloud.Protos.Metrics.V1;
using Grpc.Core;
using Rpc = Google.Rpc;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>Where numbered events go: the Metrics service, or, inside it, its own tables.</summary>
public interface IEventSink
{
    /// <summary>Takes events in order; what is known already is skipped.</summary>
    /// <param name="prunedThrough">Events up to this sequence are no longer kept here: a gap up to it is taken as it
    /// is.</param>
    Task<Acknowledgement> AppendAsync(
        string source, IReadOnlyList<StoredEvent> events, long prunedThrough, CancellationToken ct);
}

/// <summary>What the receiver knows of a source.</summary>
/// <param name="Sequence">Its highest sequence known. Lower than what precedes the first event given: there is a gap,
/// and delivery begins again from there.</param>
/// <param name="Generation">Of which of the source's histories (<see cref="FeedPlace"/>); null when the receiver did
/// not say.</param>
public readonly record struct Acknowledgement(long Sequence, long? Generation);

/// <summary>Delivers to Metrics by gRPC (<c>EventIngestionService.AppendEvents</c>).</summary>
internal sealed class MetricsEventSink(EventIngestionService.EventIngestionServiceClient metrics) : IEventSink
{
    public async Task<Acknowledgement> AppendAsync(
        string source, IReadOnlyList<StoredEvent> events, long prunedThrough, CancellationToken ct)
    {
        var request = new AppendEventsRequest { Source = source, PrunedThrough = prunedThrough };
        request.Events.AddRange(events.Select(e => EventMessages.Of(source, e)));
        try
        {
            var reply = await metrics.AppendEventsAsync(request, cancellationToken: ct);
            return new Acknowledgement(reply.AcknowledgedSequence, reply.SourceGeneration);
        }
        catch (RpcException e) when (ExpectedOf(e) is { } expected)
        {
            return new Acknowledgement(expected - 1, null);
        }
    }

    private static long? ExpectedOf(RpcException e) =>
        e.StatusCode == StatusCode.FailedPrecondition
        && e.GetRpcStatus()?.GetDetail<Rpc.ErrorInfo>() is { } refusal
        && ErrorReasons.Of(refusal.Reason) is ErrorReason.SequenceGap
        && refusal.Metadata.TryGetValue("expected", out var text)
        && long.TryParse(text, out var expected)
            ? expected
            : null;
}
