using Cloud.Protos.Supervision.V1;
using Google.Protobuf;
using Microsoft.Extensions.Hosting;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>
/// Serves every <c>Watch*</c>: a snapshot, SNAPSHOT_END, then every change in order, with bookmarks between them.
/// <para>Guarantees: the position in the feed is taken before the snapshot, so nothing is missed; a change that the
/// snapshot had already is left out by its version; the resume token moves on at least every
/// <see cref="ChangeFeed.LookEvery"/>, whether or not anything matches, so that it never grows old while a client
/// listens.</para>
/// <para>Ends: the client goes; the process stops (<c>STOPPING</c>, Unavailable: resume elsewhere with the newest
/// token); the token is older than what is kept (<c>RESUME_TOKEN_TOO_OLD</c>, OutOfRange: start without one); the
/// client does not take a message within <see cref="WatchOptions.SendWithin"/> (<c>WATCHER_TOO_SLOW</c>,
/// ResourceExhausted). Nothing is queued for a client: a slow one reads the feed later, from the table, and holds one
/// batch meanwhile.</para>
/// </summary>
public sealed class WatchStreams(
    ChangeFeed feed, WatchClients clients, TimeProvider time, IHostApplicationLifetime lifetime)
{
    private const int SnapshotPageSize = 500;

    /// <summary>Events that pass without a match before a bookmark tells that they did.</summary>
    private const int BookmarkAfterEvents = 500;

    /// <summary>How long it is remembered at least which versions the snapshot showed, and then until the stream has
    /// read all there is. An event of before the snapshot that is numbered later than this is sent though the client
    /// knows it.</summary>
    private static readonly TimeSpan ShownKeptFor = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan RetryAfterStop = TimeSpan.FromSeconds(1);

    /// <summary>Streams until the client goes or one of the ends above.</summary>
    /// <param name="noun">What is watched.</param>
    /// <param name="resumeToken">From an earlier message of such a stream; empty begins with a snapshot.</param>
    /// <param name="send">Copies a message into the noun's own and writes it; see <see cref="WatchClient.SendAsync"/>
    /// for why it gets no token.</param>
    /// <param name="ct">The client's.</param>
    /// <exception cref="ProblemException">As above, and <c>RESUME_TOKEN_INVALID</c>, <c>WATCHES_TOO_MANY</c>.
    /// </exception>
    public async Task RunAsync<TRow, TResource>(
        Watched<TRow, TResource> noun,
        string resumeToken,
        Func<WatchMessage<TResource>, Task> send,
        CancellationToken ct)
        where TRow : StoredRow
        where TResource : class, IMessage<TResource>
    {
        var resumed = PositionOf(resumeToken, noun.FilterHash);
        using var client = clients.Enter(noun.Noun);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, lifetime.ApplicationStopping);
        var stream = new Stream<TRow, TResource>(
            noun, feed, time, (message, token) => client.SendAsync(() => send(message), token));
        try
        {
            var position = resumed ?? await stream.SendSnapshotAsync(either.Token);
            await stream.SendChangesAsync(position, either.Token);
        }
        catch (OperationCanceledException) when (
            lifetime.ApplicationStopping.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            throw Problem.Unavailable(
                ErrorReason.Stopping, "This replica stops: resume with the newest token.", RetryAfterStop);
        }
    }

    private static FeedPlace? PositionOf(string token, string filterHash)
    {
        if (token.Length == 0)
        {
            return null;
        }

        return PageToken.TryDecode(token, filterHash, out var key) && FeedPlace.Parse(key) is { } position
            ? position
            : throw Problem.Invalid(new FieldProblem(
                "resume_token", "It is not a token of such a stream with this filter; start without one.",
                ErrorReason.ResumeTokenInvalid));
    }

    /// <summary>One stream: what its client was told so far.</summary>
    private sealed class Stream<TRow, TResource>(
        Watched<TRow, TResource> noun,
        ChangeFeed feed,
        TimeProvider time,
        Func<WatchMessage<TResource>, CancellationToken, Task> send)
        where TRow : StoredRow
        where TResource : class, IMessage<TResource>
    {
        /// <summary>Versions that the snapshot showed, by id, until the feed has moved past it.</summary>
        private readonly Dictionary<string, long> _shown = new(StringComparer.Ordinal);

        private DateTimeOffset _beganAt;
        private DateTimeOffset _toldAt;
        private FeedPlace _told;

        public async Task<FeedPlace> SendSnapshotAsync(CancellationToken ct)
        {
            var position = await feed.PositionAsync(ct);
            PageKey? after = null;
            IReadOnlyList<TRow> page;
            do
            {
                page = await noun.Page(after, SnapshotPageSize, ct);
                var resources = page.Select(noun.Show).ToList();
                await noun.CompleteAsync(resources, ct);
                foreach (var (row, resource) in page.Zip(resources))
                {
                    _shown[row.Id] = row.Version;
                    after = PageKey.Of(row);
                    await send(new(WatchKind.Snapshot, resource, "", "", ""), ct);
                }
            }
            while (page.Count == SnapshotPageSize);

            await send(new(WatchKind.SnapshotEnd, null, "", "", TokenOf(position)), ct);
            return position;
        }

        public async Task SendChangesAsync(FeedPlace position, CancellationToken ct)
        {
            _beganAt = time.GetUtcNow();
            (_told, _toldAt) = (position, _beganAt);
            await foreach (var batch in feed.ReadAsync(noun.Noun, position, ct))
            {
                // Decided when it was read: sending takes as long as the client does, and the feed goes on meanwhile.
                var isPastSnapshot = batch.IsNewest && time.GetUtcNow() - _beganAt >= ShownKeptFor;
                await SendChangesAsync(batch, ct);
                if (isPastSnapshot)
                {
                    _shown.Clear();
                }

                await SendBookmarkAsync(batch.Position, ct);
            }
        }

        private async Task SendChangesAsync(FeedBatch batch, CancellationToken ct)
        {
            var changes = batch.Events
                .Where(e => IsNews(e.Event))
                .Select(e => (e.Sequence, e.Event, Resource: noun.Parser.ParseFrom(e.Event.Snapshot)))
                .Where(change => Matches(change.Resource, change.Event))
                .ToList();
            if (changes.Count == 0)
            {
                return;
            }

            await noun.CompleteAsync([.. changes.Select(c => c.Resource)], ct);
            foreach (var (sequence, e, resource) in changes)
            {
                _told = batch.Position with { Sequence = sequence };
                await send(new(WatchKind.Change, resource, e.OldState ?? "", e.Reason ?? "", TokenOf(_told)), ct);
            }

            _toldAt = time.GetUtcNow();
        }

        /// <summary>Moves the token of a client on who was told nothing for long, or not of many events.</summary>
        private async Task SendBookmarkAsync(FeedPlace position, CancellationToken ct)
        {
            var now = time.GetUtcNow();
            var passed = position.Sequence - _told.Sequence;
            if (now - _toldAt >= ChangeFeed.LookEvery || passed >= BookmarkAfterEvents)
            {
                await send(new(WatchKind.Bookmark, null, "", "", TokenOf(position)), ct);
                (_told, _toldAt) = (position, now);
            }
        }

        private bool IsNews(ResourceEvent e)
        {
            var id = e.Resource[(e.Resource.LastIndexOf('/') + 1)..];
            return e.Snapshot is not null
                && (!_shown.TryGetValue(id, out var version)
                    || e.ResourceVersion > version
                    || (noun.TellsWithinVersion && e.ResourceVersion == version));
        }

        private bool Matches(TResource resource, ResourceEvent e) =>
            noun.Matches(resource, e.NewState ?? "")
            || (e.OldState is { } old && noun.Matches(Before(resource, e), old));

        private TResource Before(TResource after, ResourceEvent e) =>
            e.SnapshotBefore is { } before ? noun.Parser.ParseFrom(before) : after;

        private string TokenOf(FeedPlace position) => PageToken.Encode(noun.FilterHash, position.ToString());
    }
}
