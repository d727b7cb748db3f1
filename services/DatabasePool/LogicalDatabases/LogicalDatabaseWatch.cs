using Cloud.ServiceDefaults.Storage;
using Grpc.Core;
using Proto = Cloud.Protos.DatabasePool.V1;

namespace Cloud.LogicalDatabases;

/// <summary>Serves WatchLogicalDatabases, of all servers or of one.</summary>
public sealed class LogicalDatabaseWatch(LogicalDatabaseStore store, WatchStreams streams)
{
    /// <summary>Streams until the client or the service stops.</summary>
    /// <param name="serverId">Of this server only; null for all.</param>
    /// <param name="request">Where to begin.</param>
    /// <param name="stream">Where to.</param>
    /// <param name="ct">The client's.</param>
    public Task StreamAsync(
        string? serverId,
        Proto.WatchLogicalDatabasesRequest request,
        IServerStreamWriter<Proto.WatchLogicalDatabasesResponse> stream,
        CancellationToken ct)
    {
        var filter = new LogicalDatabaseFilter(null, serverId, [], ShowDeleted: false);
        var server = request.DatabaseServer;
        return streams.RunAsync(
            new Watched<LogicalDatabase, Proto.LogicalDatabase>(store.Noun, Proto.LogicalDatabase.Parser)
            {
                FilterHash = PageToken.HashOf("watch-logical-databases", serverId),
                Page = (after, limit, token) => store.ListAsync(filter, after, limit, token),
                Show = row => row.ToProto(),
                Matches = (resource, _) => serverId is null || resource.DatabaseServer == server,
            },
            request.ResumeToken,
            message => stream.WriteAsync(
                new()
                {
                    Kind = message.Kind, LogicalDatabase = message.Resource, PreviousState = message.PreviousState,
                    Reason = message.Reason, ResumeToken = message.ResumeToken,
                }),
            ct);
    }
}
