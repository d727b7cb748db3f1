using System.Globalization;
using System.Runtime.CompilerServices;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>
/// What <c>Watch*</c> streams read: this service's own events, numbered, in order, from a position on. A Watch takes
/// <see cref="PositionAsync"/> first and its snapshot second, then reads from the position: it may see a change twice
/// (the snapshot had it already; the resource version tells) but never misses one.
/// Woken by the numbering, in this process directly and from others by nudge; looks by itself every
/// <see cref="LookEvery"/> in case a nudge was lost, and sends a bookmark then. Events are kept at least an hour; a
/// position older than what is kept is the problem <c>RESUME_TOKEN_TOO_OLD</c>.
/// </summary>
public sealed class ChangeFeed
{
    /// <summary>Longest delay of a change whose nudge was lost, and the time between bookmarks of a quiet
    /// feed.</summary>
    public static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(15);

    /// <summary>The noun under which the numbering nudges the readers of a resource type.</summary>
    internal static string NounOf(string resourceType) => "feed-" + resourceType;

    private const int EventsPerReadMax = 500;

    private readonly OutboxStore _outbox;
    private readonly INudges _nudges;
    private readonly TimeProvider _time;
    private readonly CancellationToken _stopping;

    internal ChangeFeed(OutboxStore outbox, INudges nudges, TimeProvider time, CancellationToken stopping) =>
        (_outbox, _nudges, _time, _stopping) = (outbox, nudges, time, stopping);

    /// <summary>The newest position: everything committed later comes after it.</summary>
    public async Task<long> PositionAsync(CancellationToken ct) => (await _outbox.ProgressAsync(ct)).LastSequence;

    /// <summary>Events of a resource type after a position and bookmarks between them, for as long as the caller
    /// reads.</summary>
    /// <exception cref="ProblemException"><c>RESUME_TOKEN_TOO_OLD</c> (OutOfRange); <c>STOPPING</c> (Unavailable).
    /// </exception>
    public async IAsyncEnumerable<FeedMessage> ReadAsync(
        string resourceType, long after, [EnumeratorCancellation] CancellationToken ct)
    {
        using var pulse = new Pulse(_time);
        using var hearing = _nudges.Subscribe(NounOf(resourceType), _ => pulse.Raise());
        var bookmarkAt = _time.GetUtcNow() + LookEvery;
        while (true)
        {
            var (progress, events) = await _outbox.ReadAsync(resourceType, after, EventsPerReadMax, ct);
            if (after < progress.PrunedThrough)
            {
                throw Problem.TokenExpired(progress.PrunedThrough.ToString(CultureInfo.InvariantCulture));
            }

            foreach (var e in events)
            {
                yield return new FeedMessage(e.Sequence, e.Event);
                after = e.Sequence;
            }

            if (events.Count == EventsPerReadMax)
            {
                continue;
            }

            // Events of other types move the position on too; a quiet type must not fall behind what is pruned.
            after = Math.Max(after, progress.LastSequence);
            var quiet = events.Count == 0 && bookmarkAt <= _time.GetUtcNow();
            if (quiet)
            {
                yield return new FeedMessage(after, null);
            }

            bookmarkAt = quiet || events.Count > 0 ? _time.GetUtcNow() + LookEvery : bookmarkAt;
            pulse.RaiseAt(bookmarkAt);
            await WaitAsync(pulse, ct);
        }
    }

    /// <summary>Waits for news. A service that stops ends its watches at once: readers resume elsewhere.</summary>
    private async ValueTask WaitAsync(Pulse pulse, CancellationToken ct)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, _stopping);
        try
        {
            await pulse.WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            throw Problem.Unavailable("STOPPING", "This process stops; resume with the last token.", TimeSpan.Zero);
        }
    }
}
