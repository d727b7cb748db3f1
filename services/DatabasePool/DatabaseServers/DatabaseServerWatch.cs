using Cloud.ServiceDefaults.Storage;
using Grpc.Core;
using Proto = Cloud.Protos.DatabasePool.V1;

namespace Cloud.DatabaseServers;

/// <summary>Serves WatchDatabaseServers. The count is of the logical databases, not of the row: it is as of
/// now.</summary>
public sealed class DatabaseServerWatch(DatabaseServerStore store, WatchStreams streams)
{
    private readonly Watched<DatabaseServer, Proto.DatabaseServer> _servers = new(
        store.Noun, Proto.DatabaseServer.Parser)
    {
        FilterHash = PageToken.HashOf("watch-database-servers"),
        Page = (after, limit, ct) => store.UncountedAsync(new([], ShowDeleted: false), after, limit, ct),
        Show = server => server.ToProto(),
        CompleteAsync = async (servers, ct) =>
        {
            var counts = await store.CountDatabasesAsync([.. servers.Select(s => IdOf(s.Name))], ct);
            foreach (var server in servers)
            {
                server.DatabaseCount = counts.GetValueOrDefault(IdOf(server.Name));
            }
        },
    };

    /// <summary>Streams until the client or the service stops.</summary>
    public Task StreamAsync(
        Proto.WatchDatabaseServersRequest request,
        IServerStreamWriter<Proto.WatchDatabaseServersResponse> stream,
        CancellationToken ct) =>
        streams.RunAsync(
            _servers,
            request.ResumeToken,
            message => stream.WriteAsync(
                new()
                {
                    Kind = message.Kind, DatabaseServer = message.Resource, PreviousState = message.PreviousState,
                    Reason = message.Reason, ResumeToken = message.ResumeToken,
                }),
            ct);

    private static string IdOf(string name) => name[(name.IndexOf('/', StringComparison.Ordinal) + 1)..];
}
