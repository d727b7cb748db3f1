using Cloud.ServiceDefaults.Storage;

namespace Cloud.Events;

/// <summary>This service's own outbox goes into the feed like those of the others, without a call.</summary>
public sealed class OwnEvents(EventIngestionStore store) : IEventSink
{
    /// <inheritdoc/>
    public async Task<Acknowledgement> AppendAsync(
        string source, IReadOnlyList<StoredEvent> events, long prunedThrough, CancellationToken ct)
    {
        try
        {
            var known = await store.AppendAsync(
                source,
                [.. events.Select(e => RecordedEvent.From(source, EventMessages.Of(source, e)))],
                prunedThrough,
                ct);
            return new Acknowledgement(known.Sequence, known.Generation);
        }
        catch (SequenceGapException gap)
        {
            return new Acknowledgement(gap.Expected - 1, null);
        }
    }
}
