using System.Globalization;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;
using Grpc.Core;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Events;

/// <summary>The feed as its readers see it.</summary>
public sealed class EventService(
    EventStore store, FeedSignal signal, TimeProvider time, IHostApplicationLifetime lifetime)
    : Proto.EventService.EventServiceBase
{
    /// <summary>Events of a page when the caller does not say.</summary>
    public const int PageSizeDefault = 100;

    /// <summary>Most events of a page, and of one read of a watch.</summary>
    public const int PageSizeMax = 1000;

    /// <summary>
    /// How long a watch that has nothing to say stays silent; then it sends a bookmark, so that its client can resume
    /// from a recent place and knows that the stream lives.
    /// </summary>
    public static readonly TimeSpan BookmarkAfter = TimeSpan.FromSeconds(30);

    /// <inheritdoc/>
    public override async Task<Proto.ListEventsResponse> ListEvents(
        Proto.ListEventsRequest request, ServerCallContext context)
    {
        var filter = request.Filter ?? new Proto.EventFilter();
        var problems = Check(filter);
        if (request.PageSize < 0)
        {
            problems.Add("page_size", $"must be 0 to {PageSizeMax}", "PAGE_SIZE_INVALID");
        }

        var hash = HashOf(filter, request.Ascending);
        long? beyond = null;
        if (request.PageToken.Length > 0)
        {
            if (PageToken.TryDecode(request.PageToken, hash, out var key)
                && long.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out var sequence))
            {
                beyond = sequence;
            }
            else
            {
                problems.Add(
                    "page_token", "is not a token of this list with this filter and order; start without one",
                    "PAGE_TOKEN_INVALID");
            }
        }

        problems.ThrowIfAny();
        var size = request.PageSize == 0 ? PageSizeDefault : Math.Min(request.PageSize, PageSizeMax);
        // One more than asked for tells whether there is a next page.
        var found = await store.ListAsync(filter, request.Ascending, beyond, size + 1, context.CancellationToken);
        var page = new Proto.ListEventsResponse { Events = { found.Take(size).Select(e => e.ToProto()) } };
        if (found.Count > size)
        {
            page.NextPageToken = PageToken.Encode(
                hash, found[size - 1].Sequence.ToString(CultureInfo.InvariantCulture));
        }

        return page;
    }

    /// <summary>
    /// Sends what is there, then waits for the feed to grow. The signal is taken before each read, so nothing that is
    /// committed between a read and the wait is missed.
    /// </summary>
    public override async Task WatchEvents(
        Proto.WatchEventsRequest request,
        IServerStreamWriter<Proto.WatchEventsResponse> responseStream,
        ServerCallContext context)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(
            context.CancellationToken, lifetime.ApplicationStopping);
        var filter = request.Filter ?? new Proto.EventFilter();
        var at = await StartAsync(request, filter, end.Token);
        await responseStream.WriteAsync(new Proto.WatchEventsResponse { Sequence = at }, end.Token);
        while (true)
        {
            var grown = signal.NextAsync(end.Token);
            var position = await store.PositionAsync(end.Token);
            if (position.PrunedThrough > at)
            {
                throw TooOld(position);
            }

            if (position.LastSequence > at)
            {
                at = await SendAsync(filter, at, position.LastSequence, responseStream, end.Token);
                continue;
            }

            // The head is reached; silence is broken by the next event, or by a bookmark.
            if (!await IsWithinAsync(grown, BookmarkAfter, end.Token))
            {
                await responseStream.WriteAsync(new Proto.WatchEventsResponse { Sequence = at }, end.Token);
            }
        }
    }

    private static FieldProblems Check(Proto.EventFilter filter)
    {
        var problems = new FieldProblems();
        foreach (var type in filter.Types_.Where(t => !KnownTypes.Contains(t)))
        {
            problems.Add(
                "filter.types", $"'{type}' is not a type of events; known are {string.Join(", ", KnownTypes)}",
                "EVENT_TYPE_UNKNOWN");
        }

        if (filter.Resource.Length > 0 && !filter.Resource.Contains('/', StringComparison.Ordinal))
        {
            problems.Add("filter.resource", "must be a resource name such as installations/{id}", "NAME_INVALID");
        }

        if (filter.Installation.Length > 0
            && !filter.Installation.StartsWith("installations/", StringComparison.Ordinal))
        {
            problems.Add("filter.installation", "must be a resource name: installations/{id}", "NAME_INVALID");
        }

        return problems;
    }

    private static string[] KnownTypes { get; } =
        [EventTypes.Created, EventTypes.StateChanged, EventTypes.Updated, EventTypes.Deleted];

    private static string HashOf(Proto.EventFilter filter, bool ascending) => PageToken.HashOf(
        string.Join(',', filter.ResourceTypes), filter.Resource, filter.Installation, string.Join(',', filter.Types_),
        filter.Source, ascending ? "ascending" : "descending");

    private static ProblemException TooOld(FeedPosition position) =>
        Problem.TokenExpired((position.PrunedThrough + 1).ToString(CultureInfo.InvariantCulture));

    private async Task<long> StartAsync(
        Proto.WatchEventsRequest request, Proto.EventFilter filter, CancellationToken ct)
    {
        var problems = Check(filter);
        var position = await store.PositionAsync(ct);
        if (request.HasAfterSequence && (request.AfterSequence < 0 || request.AfterSequence > position.LastSequence))
        {
            problems.Add(
                "after_sequence", $"must be 0 to {position.LastSequence}, the newest event", "AFTER_SEQUENCE_INVALID");
        }

        problems.ThrowIfAny();
        if (!request.HasAfterSequence)
        {
            return position.LastSequence;
        }

        // 0 means the oldest kept, however much was let go before it.
        if (request.AfterSequence == 0)
        {
            return position.PrunedThrough;
        }

        return request.AfterSequence >= position.PrunedThrough ? request.AfterSequence : throw TooOld(position);
    }

    /// <summary>
    /// Sends what matches, at most one read; answers up to where everything was sent or did not match.
    /// </summary>
    private async Task<long> SendAsync(
        Proto.EventFilter filter,
        long at,
        long last,
        IServerStreamWriter<Proto.WatchEventsResponse> stream,
        CancellationToken ct)
    {
        var events = await store.ReadAsync(filter, at, last, PageSizeMax, ct);
        foreach (var e in events)
        {
            await stream.WriteAsync(new Proto.WatchEventsResponse { Event = e.ToProto(), Sequence = e.Sequence }, ct);
        }

        if (events.Count == PageSizeMax)
        {
            // A full read may have stopped short of the head.
            return events[^1].Sequence;
        }

        if (events.Count == 0 || events[^1].Sequence < last)
        {
            await stream.WriteAsync(new Proto.WatchEventsResponse { Sequence = last }, ct);
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
