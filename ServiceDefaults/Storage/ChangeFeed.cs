using System.Globalization;
using System.Runtime.CompilerServices;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>
/// This service's own events, numbered, in order, from a position on: what <c>Watch*</c> streams are made of
/// (<see cref="WatchStreams"/>). Who takes <see cref="PositionAsync"/> first, a snapshot second and reads from the
/// position may see a change twice (the snapshot had it already; the version tells) but never misses one.
/// Woken by the numbering, in this process directly and from others by nudge; looks by itself every
/// <see cref="LookEvery"/> in case a nudge was lost. Events are kept at least an hour; a position older than what is
/// kept, or of before the database was restored, is the problem <c>RESUME_TOKEN_TOO_OLD</c>.
/// </summary>
public sealed class ChangeFeed
{
    /// <summary>Longest delay of a change whose nudge was lost; how often the position of a quiet feed is
    /// told.</summary>
    public static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(15);

    /// <summary>The noun under which the numbering nudges the readers of a resource type.</summary>
    internal static string NounOf(string resourceType) => "feed-" + resourceType;

    private const int EventsPerReadMax = 500;

    private readonly OutboxStore _outbox;
    private readonly INudges _nudges;
    private readonly TimeProvider _time;

    internal ChangeFeed(OutboxStore outbox, INudges nudges, TimeProvider time) =>
        (_outbox, _nudges, _time) = (outbox, nudges, time);

    /// <summary>The newest position: everything committed later comes after it.</summary>
    public async Task<FeedPlace> PositionAsync(CancellationToken ct)
    {
        var progress = await _outbox.ProgressAsync(ct);
        return new FeedPlace(progress.Generation, progress.LastSequence);
    }

    /// <summary>Events of a resource type after a position, for as long as the caller reads: a batch whenever there is
    /// something new, and one every <see cref="LookEvery"/> whether there is or not.</summary>
    /// <exception cref="ProblemException"><c>RESUME_TOKEN_TOO_OLD</c> (OutOfRange).</exception>
    public async IAsyncEnumerable<FeedBatch> ReadAsync(
        string resourceType, FeedPlace after, [EnumeratorCancellation] CancellationToken ct)
    {
        using var pulse = new Pulse(_time);
        using var hearing = _nudges.Subscribe(NounOf(resourceType), _ => pulse.Raise());
        while (true)
        {
            var (progress, events) = await _outbox.ReadAsync(resourceType, after.Sequence, EventsPerReadMax, ct);
            if (after.Generation != progress.Generation
                || after.Sequence < progress.PrunedThrough
                || after.Sequence > progress.LastSequence)
            {
                throw Problem.TokenExpired(progress.PrunedThrough.ToString(CultureInfo.InvariantCulture));
            }

            // Events of other types move the position on too; a quiet type must not fall behind what is pruned.
            var isFull = events.Count == EventsPerReadMax;
            after = after with { Sequence = isFull ? events[^1].Sequence : progress.LastSequence };
            yield return new FeedBatch(events, after, IsNewest: !isFull);
            if (!isFull)
            {
                pulse.RaiseAt(_time.GetUtcNow() + LookEvery);
                await pulse.WaitAsync(ct);
            }
        }
    }
}

/// <summary>What a reader of the feed gets at once.</summary>
/// <param name="Events">Events in order; none when nothing happened.</param>
/// <param name="Position">Everything up to here is in this batch, was in an earlier one, or is of another type.</param>
/// <param name="IsNewest">Nothing came after it when it was read.</param>
public sealed record FeedBatch(IReadOnlyList<StoredEvent> Events, FeedPlace Position, bool IsNewest);
