using Cloud.DatabaseServers;
using Cloud.Providers;
using static Cloud.LogicalDatabases.LogicalDatabaseState;
using static Cloud.ServiceDefaults.Supervision.Outcome;
using Answer = Cloud.ServiceDefaults.Supervision.Outcome<
    Cloud.LogicalDatabases.LogicalDatabase, Cloud.LogicalDatabases.LogicalDatabaseState>;

namespace Cloud.LogicalDatabases;

/// <summary>
/// deletion-requested -> deleted. Whoever is connected is cut off, database and role are dropped, and only then is the
/// slot free: installations that wait for room are told. A server that does not answer is waited for, since what is on
/// it cannot be dropped any other way, until somebody has it forgotten.
/// </summary>
public sealed class Deletion(OnServer onServer, LogicalDatabaseStore store, RoomStore room)
{
    /// <summary>deletion-requested.</summary>
    public async Task<Answer> DropAsync(LogicalDatabase row, CancellationToken ct)
    {
        var server = await onServer.ServerOfAsync(row, ct);
        if (server.State is DatabaseServerState.Deleted)
        {
            return Go(Deleted, $"{server.DisplayName} was forgotten with what is on it", row, room.Opened());
        }

        if (!await store.IsBegunAsync(row.Id, ct))
        {
            return Go(Deleted, "nothing of it was begun", row, room.Opened());
        }

        return await onServer.ActAsync(row, server, CustomerDatabase.EnsureGoneAsync, ct) is { } wait
            ? wait
            : Go(Deleted, "database and role are dropped", row, room.Opened());
    }
}
