using Cloud.ServiceDefaults.Storage;

namespace Cloud.Events;

/// <summary>Takes this service's own events in, as every other source's.</summary>
public sealed class OwnEvents(EventStore store) : IEventSink
{
    /// <inheritdoc/>
    public async Task<long> AppendAsync(
        string source, IReadOnlyList<StoredEvent> events, long prunedThrough, CancellationToken ct)
    {
        try
        {
            var recorded = events.Select(e => RecordedEvent.From(source, e.ToProto(source))).ToList();
            return await store.AppendAsync(source, recorded, prunedThrough, ct);
        }
        catch (SequenceGapException gap)
        {
            return gap.Expected - 1;
        }
    }
}
