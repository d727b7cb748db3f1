using Cloud.Protos.Metrics.V1;
using Grpc.Core;

namespace Cloud.Installations.Tests.World;

/// <summary>The metrics service's contract about taking events in: it takes all.</summary>
internal sealed class EventSide : EventIngestionService.EventIngestionServiceBase
{
    public override Task<AppendEventsResponse> AppendEvents(AppendEventsRequest request, ServerCallContext context) =>
        Task.FromResult(new AppendEventsResponse
        {
            AcknowledgedSequence = request.Events.Count == 0 ? 0 : request.Events[^1].SourceSequence,
        });
}
