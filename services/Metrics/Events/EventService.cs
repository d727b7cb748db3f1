using System.Globalization;
using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;
using Grpc.Core;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Events;

/// <summary>The feed as its readers see it.</summary>
public sealed class EventService(
    EventStore store, FeedSignal signal, WatchClients clients, TimeProvider time, IHostApplicationLifetime lifetime)
    : Proto.EventService.EventServiceBase
{
    /// <summary>Most events of one read of a watch.</summary>
    private const int EventsPerReadMax = 1000;

    private static readonly TimeSpan RetryAfterStop = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long a watch that has nothing to say stays silent; then it sends a bookmark, so that its client can resume
    /// from a recent place and knows that the stream lives.
    /// </summary>
    public static readonly TimeSpan BookmarkAfter = TimeSpan.FromSeconds(30);

    /// <inheritdoc/>
    public override async Task<Proto.ListEventsResponse> ListEvents(
        Proto.ListEventsRequest request, ServerCallContext context)
    {
        var problems = new FieldProblems();
        var filter = EventFilter.Of(request.Filter, problems);
        var size = PageSize.Of(request.PageSize, problems);
        var hash = PageToken.HashOf("list-events", filter.Hash, request.Ascending ? "ascending" : "descending");
        var beyond = SequenceOf(request.PageToken, hash);
        if (beyond is null && request.PageToken.Length > 0)
        {
            problems.Add(
                "page_token", "It is not a token of this list with this filter and order; start without one.",
                ErrorReason.PageTokenInvalid);
        }

        problems.ThrowIfAny();
        // One more than asked for tells whether there is a next page.
        var found = await store.ListAsync(filter, request.Ascending, beyond, size + 1, context.CancellationToken);
        var reply = new Proto.ListEventsResponse();
        var last = Page.Fill(reply.Events, found, size, e => e.ToProto());
        reply.NextPageToken = last is null ? "" : TokenOf(last.Sequence, hash);
        return reply;
    }

    /// <summary>
    /// Sends what is there, then waits for the feed to grow. The signal is taken before each read, so nothing that is
    /// committed between a read and the wait is missed. Nothing is queued for a slow client: it reads the table later.
    /// </summary>
    public override async Task WatchEvents(
        Proto.WatchEventsRequest request,
        IServerStreamWriter<Proto.WatchEventsResponse> responseStream,
        ServerCallContext context)
    {
        var problems = new FieldProblems();
        var filter = EventFilter.Of(request.Filter, problems);
        var hash = PageToken.HashOf("watch-events", filter.Hash);
        using var client = clients.Enter("event");
        using var end = CancellationTokenSource.CreateLinkedTokenSource(
            context.CancellationToken, lifetime.ApplicationStopping);
        try
        {
            var at = await StartAsync(request, hash, problems, end.Token);
            await FollowAsync(filter, at, SendAsync, end.Token);
        }
        catch (OperationCanceledException) when (
            lifetime.ApplicationStopping.IsCancellationRequested && !context.CancellationToken.IsCancellationRequested)
        {
            throw Problem.Unavailable(
                ErrorReason.Stopping, "This replica stops: resume with the newest token.", RetryAfterStop);
        }

        Task SendAsync(RecordedEvent? e, long sequence, CancellationToken ct) => client.SendAsync(
            () => responseStream.WriteAsync(new Proto.WatchEventsResponse
            {
                Event = e?.ToProto(), Sequence = sequence, ResumeToken = TokenOf(sequence, hash),
            }),
            ct);
    }

    private static ProblemException TooOld(FeedPosition position) =>
        Problem.TokenExpired((position.PrunedThrough + 1).ToString(CultureInfo.InvariantCulture));

    private static string TokenOf(long sequence, string hash) =>
        PageToken.Encode(hash, sequence.ToString(CultureInfo.InvariantCulture));

    private static long? SequenceOf(string token, string hash) =>
        PageToken.TryDecode(token, hash, out var key)
        && long.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out var sequence)
            ? sequence
            : null;

    /// <summary>Where a watch begins; everything wrong with its request is told here.</summary>
    private async Task<long> StartAsync(
        Proto.WatchEventsRequest request, string hash, FieldProblems problems, CancellationToken ct)
    {
        var position = await store.PositionAsync(ct);
        var asked = request.HasAfterSequence ? request.AfterSequence : (long?)null;
        if (asked < 0 || asked > position.LastSequence)
        {
            problems.Add(
                "after_sequence", $"must be 0 to {position.LastSequence}, the newest event",
                ErrorReason.AfterSequenceInvalid);
        }

        if (request.ResumeToken.Length > 0)
        {
            asked = SequenceOf(request.ResumeToken, hash);
            if (asked is null || request.HasAfterSequence)
            {
                problems.Add(
                    "resume_token",
                    "It is not a token of such a stream with this filter, or comes with a sequence; start without one.",
                    ErrorReason.ResumeTokenInvalid);
            }
        }

        problems.ThrowIfAny();
        return asked switch
        {
            null => position.LastSequence,
            // The oldest kept, however much was let go before it.
            0 when request.HasAfterSequence => position.PrunedThrough,
            { } at when at < position.PrunedThrough => throw TooOld(position),
            // A token of what was there before the feed itself was restored.
            { } at when at > position.LastSequence => throw TooOld(position),
            { } at => at,
        };
    }

    private async Task FollowAsync(
        EventFilter filter, long at, Func<RecordedEvent?, long, CancellationToken, Task> send, CancellationToken ct)
    {
        await send(null, at, ct);
        while (true)
        {
            var grown = signal.NextAsync(ct);
            var last = (await store.PositionAsync(ct)).LastSequence;
            if (last > at)
            {
                at = await SendAsync(filter, at, last, send, ct);
                continue;
            }

            // The head is reached; silence is broken by the next event, or by a bookmark.
            if (!await IsWithinAsync(grown, BookmarkAfter, ct))
            {
                await send(null, at, ct);
            }
        }
    }

    /// <summary>
    /// Sends what matches, at most one read; answers up to where everything was sent or did not match.
    /// </summary>
    private async Task<long> SendAsync(
        EventFilter filter,
        long at,
        long last,
        Func<RecordedEvent?, long, CancellationToken, Task> send,
        CancellationToken ct)
    {
        var events = await store.ReadAsync(filter, at, last, EventsPerReadMax, ct);
        // Asked for after the events: what was let go before they were read is told, and nothing is skipped in silence.
        var position = await store.PositionAsync(ct);
        if (position.PrunedThrough > at)
        {
            throw TooOld(position);
        }

        foreach (var e in events)
        {
            await send(e, e.Sequence, ct);
        }

        if (events.Count == EventsPerReadMax)
        {
            // A full read may have stopped short of the head.
            return events[^1].Sequence;
        }

        if (events.Count == 0 || events[^1].Sequence < last)
        {
            await send(null, last, ct);
        }

        return last;
    }

    private async Task<bool> IsWithinAsync(Task signal, TimeSpan atMost, CancellationToken ct)
    {
        try
        {
            await signal.WaitAsync(atMost, time, ct);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }
}
