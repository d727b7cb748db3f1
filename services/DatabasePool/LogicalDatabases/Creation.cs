using Cloud.Providers;
using static Cloud.LogicalDatabases.LogicalDatabaseState;
using static Cloud.ServiceDefaults.Supervision.Outcome;
using Answer = Cloud.ServiceDefaults.Supervision.Outcome<
    Cloud.LogicalDatabases.LogicalDatabase, Cloud.LogicalDatabases.LogicalDatabaseState>;

namespace Cloud.LogicalDatabases;

/// <summary>
/// creation-requested -> stable. The server was chosen with the row; here its database and role are made. Everything
/// is done under the server's own lock of that database and only by the current claim, so a worker that was paused
/// cannot bring back what a deletion has removed (see <see cref="PostgresServers"/>).
/// </summary>
public sealed class Creation(OnServer onServer)
{
    /// <summary>creation-requested.</summary>
    public async Task<Answer> MakeAsync(LogicalDatabase row, CancellationToken ct) =>
        await onServer.ActAsync(row, CustomerDatabase.EnsureAsync, ct) is { } wait
            ? wait
            : Go(Stable, $"{row.DatabaseName} and {row.RoleName} are there");
}
