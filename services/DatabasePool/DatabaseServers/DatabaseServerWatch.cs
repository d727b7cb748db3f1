using Cloud.Requests;
using Cloud.ServiceDefaults.Storage;
using Grpc.Core;
using Proto = Cloud.Protos.DatabasePool.V1;
using Supervision = Cloud.Protos.Supervision.V1;

namespace Cloud.DatabaseServers;

/// <summary>
/// The stream of database servers: a snapshot, then every change in order. The position is taken before the snapshot is
/// read, so a change may be told twice (its etag shows it) and none is missed.
/// </summary>
public sealed class DatabaseServerWatch(DatabaseServerStore store, ChangeFeed feed)
{
    /// <summary>Runs until the caller goes away.</summary>
    public async Task RunAsync(
        string resumeToken, IServerStreamWriter<Proto.WatchDatabaseServersResponse> stream, CancellationToken ct)
    {
        var position = WatchPosition.Read(resumeToken, WatchPosition.Everything);
        if (position is null)
        {
            position = await feed.PositionAsync(ct);
            await SendSnapshotAsync(position.Value, stream, ct);
        }

        await foreach (var message in feed.ReadAsync(store.Noun, position.Value, ct))
        {
            await stream.WriteAsync(await MessageAsync(message, ct), ct);
        }
    }

    private async Task<Proto.WatchDatabaseServersResponse> MessageAsync(FeedMessage message, CancellationToken ct)
    {
        var resumeToken = WatchPosition.Write(message.Sequence, WatchPosition.Everything);
        if (message.Event is not { Snapshot: { } snapshot } e)
        {
            return new() { Kind = Supervision.WatchKind.Bookmark, ResumeToken = resumeToken };
        }

        var server = Proto.DatabaseServer.Parser.ParseFrom(snapshot);
        // The count is of the logical databases, not of the row: what it is now is the best there is.
        server.DatabaseCount = await store.CountDatabasesAsync(
            ResourceName.IdOf(server.Name, DatabaseServerService.Collection), ct);
        return new()
        {
            Kind = Supervision.WatchKind.Change,
            DatabaseServer = server,
            PreviousState = e.OldState ?? "",
            Reason = e.Reason ?? "",
            ResumeToken = resumeToken,
        };
    }

    private async Task SendSnapshotAsync(
        long position, IServerStreamWriter<Proto.WatchDatabaseServersResponse> stream, CancellationToken ct)
    {
        var filter = new DatabaseServerFilter([], ShowDeleted: false);
        PagePlace? after = null;
        IReadOnlyList<DatabaseServer> page;
        do
        {
            page = await store.ListAsync(filter, after, PageSize.Max, ct);
            foreach (var server in page)
            {
                await stream.WriteAsync(
                    new Proto.WatchDatabaseServersResponse
                    {
                        Kind = Supervision.WatchKind.Snapshot, DatabaseServer = server.ToProto(),
                    },
                    ct);
                after = new PagePlace(server.CreateTime, server.Id);
            }
        }
        while (page.Count == PageSize.Max);

        await stream.WriteAsync(
            new Proto.WatchDatabaseServersResponse
            {
                Kind = Supervision.WatchKind.SnapshotEnd,
                ResumeToken = WatchPosition.Write(position, WatchPosition.Everything),
            },
            ct);
    }
}
