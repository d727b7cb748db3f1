using System.Globalization;
using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Hosting;
using Grpc.Core;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Events;

/// <summary>Where the other services hand in their outboxes.</summary>
public sealed class EventIngestionService(EventIngestionStore store, EventSourceOptions sources)
    : Proto.EventIngestionService.EventIngestionServiceBase
{
    /// <inheritdoc/>
    public override async Task<Proto.AppendEventsResponse> AppendEvents(
        Proto.AppendEventsRequest request, ServerCallContext context)
    {
        Check(request);
        try
        {
            var events = request.Events.Select(e => RecordedEvent.From(request.Source, e)).ToList();
            var known = await store.AppendAsync(
                request.Source, events, request.PrunedThrough, context.CancellationToken);
            return new Proto.AppendEventsResponse
            {
                AcknowledgedSequence = known.Sequence, SourceGeneration = known.Generation,
            };
        }
        catch (SequenceGapException gap)
        {
            var expected = gap.Expected.ToString(CultureInfo.InvariantCulture);
            throw Problem.FailedPrecondition(
                ErrorReason.SequenceGap,
                request.Source,
                $"Events of {request.Source} begin at {request.Events[0].SourceSequence}; {expected} is missing.",
                new Dictionary<string, string> { ["expected"] = expected });
        }
    }

    private void Check(Proto.AppendEventsRequest request)
    {
        var problems = new FieldProblems();
        if (request.Source.Length == 0)
        {
            problems.Add("source", "must name the service whose outbox it is", ErrorReason.SourceMissing);
        }
        else if (!sources.Includes(request.Source))
        {
            problems.Add(
                "source",
                $"'{request.Source}' is no service whose events are taken in; those are "
                + $"{string.Join(", ", sources.Sources)}.",
                ErrorReason.SourceUnknown);
        }

        if (request.PrunedThrough < 0)
        {
            problems.Add("pruned_through", "must not be negative", ErrorReason.PrunedThroughInvalid);
        }

        for (var i = 0; i < request.Events.Count; i++)
        {
            Check(request, i, problems);
        }

        problems.ThrowIfAny();
    }

    private static void Check(Proto.AppendEventsRequest request, int index, FieldProblems problems)
    {
        var e = request.Events[index];
        var at = $"events[{index.ToString(CultureInfo.InvariantCulture)}]";
        var expected = index == 0 ? e.SourceSequence : request.Events[index - 1].SourceSequence + 1;
        if (e.SourceSequence < 1 || e.SourceSequence != expected)
        {
            problems.Add(
                $"{at}.source_sequence", "must be positive and grow by one", ErrorReason.SourceSequenceInvalid);
        }

        if (e.Source.Length > 0 && e.Source != request.Source)
        {
            problems.Add($"{at}.source", "must be the request's source, or empty", ErrorReason.SourceInvalid);
        }

        if (e.ResourceType.Length == 0)
        {
            problems.Add($"{at}.resource_type", "must not be empty", ErrorReason.ResourceTypeMissing);
        }

        if (e.Resource.Length == 0)
        {
            problems.Add($"{at}.resource", "must not be empty", ErrorReason.ResourceMissing);
        }

        if (e.Type.Length == 0)
        {
            problems.Add($"{at}.type", "must not be empty", ErrorReason.TypeMissing);
        }

        if (e.OccurTime is null)
        {
            problems.Add($"{at}.occur_time", "must be set", ErrorReason.OccurTimeMissing);
        }
    }
}
