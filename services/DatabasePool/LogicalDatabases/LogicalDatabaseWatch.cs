using Cloud.Requests;
using Cloud.ServiceDefaults.Storage;
using Grpc.Core;
using Proto = Cloud.Protos.DatabasePool.V1;
using Supervision = Cloud.Protos.Supervision.V1;

namespace Cloud.LogicalDatabases;

/// <summary>
/// The stream of logical databases, of all servers or of one: a snapshot, then every change in order. The position is
/// taken before the snapshot is read, so a change may be told twice (its etag shows it) and none is missed.
/// </summary>
public sealed class LogicalDatabaseWatch(LogicalDatabaseStore store, ChangeFeed feed)
{
    /// <summary>Changes on other servers after which a bookmark moves the resume token on.</summary>
    private const int BookmarkEvery = 100;

    /// <summary>Runs until the caller goes away.</summary>
    /// <param name="server">Resource name of a server, or empty for all.</param>
    /// <param name="resumeToken">From an earlier stream with the same filter, or empty.</param>
    /// <param name="stream">Where to.</param>
    /// <param name="ct">Ends it.</param>
    public async Task RunAsync(
        string server,
        string resumeToken,
        IServerStreamWriter<Proto.WatchLogicalDatabasesResponse> stream,
        CancellationToken ct)
    {
        var filter = PageToken.HashOf(LogicalDatabaseService.Collection, server);
        var position = WatchPosition.Read(resumeToken, filter);
        if (position is null)
        {
            position = await feed.PositionAsync(ct);
            await SendSnapshotAsync(server, WatchPosition.Write(position.Value, filter), stream, ct);
        }

        var skipped = 0;
        await foreach (var message in feed.ReadAsync(store.Noun, position.Value, ct))
        {
            var row = message.Event?.Snapshot is { } snapshot ? Proto.LogicalDatabase.Parser.ParseFrom(snapshot) : null;
            var isElsewhere = row is not null && server.Length > 0 && row.DatabaseServer != server;
            skipped = isElsewhere ? skipped + 1 : 0;
            if (!isElsewhere || skipped % BookmarkEvery == 0)
            {
                await stream.WriteAsync(
                    Message(isElsewhere ? null : row, message, WatchPosition.Write(message.Sequence, filter)), ct);
            }
        }
    }

    private static Proto.WatchLogicalDatabasesResponse Message(
        Proto.LogicalDatabase? row, FeedMessage message, string resumeToken) => row is null
            ? new() { Kind = Supervision.WatchKind.Bookmark, ResumeToken = resumeToken }
            : new()
            {
                Kind = Supervision.WatchKind.Change,
                LogicalDatabase = row,
                PreviousState = message.Event?.OldState ?? "",
                Reason = message.Event?.Reason ?? "",
                ResumeToken = resumeToken,
            };

    private async Task SendSnapshotAsync(
        string server,
        string resumeToken,
        IServerStreamWriter<Proto.WatchLogicalDatabasesResponse> stream,
        CancellationToken ct)
    {
        var serverId = server.Length == 0 ? null : server[(server.IndexOf('/', StringComparison.Ordinal) + 1)..];
        var filter = new LogicalDatabaseFilter(null, serverId, [], ShowDeleted: false);
        PagePlace? after = null;
        IReadOnlyList<LogicalDatabase> page;
        do
        {
            page = await store.ListAsync(filter, after, PageSize.Max, ct);
            foreach (var row in page)
            {
                await stream.WriteAsync(
                    new Proto.WatchLogicalDatabasesResponse
                    {
                        Kind = Supervision.WatchKind.Snapshot, LogicalDatabase = row.ToProto(),
                    },
                    ct);
                after = new PagePlace(row.CreateTime, row.Id);
            }
        }
        while (page.Count == PageSize.Max);

        await stream.WriteAsync(
            new Proto.WatchLogicalDatabasesResponse
            {
                Kind = Supervision.WatchKind.SnapshotEnd, ResumeToken = resumeToken,
            },
            ct);
    }
}
