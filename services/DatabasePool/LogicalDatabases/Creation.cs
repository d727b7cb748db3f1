using Cloud.Providers;
using static Cloud.LogicalDatabases.LogicalDatabaseState;
using static Cloud.ServiceDefaults.Supervision.Outcome;
using Answer = Cloud.ServiceDefaults.Supervision.Outcome<
    Cloud.LogicalDatabases.LogicalDatabase, Cloud.LogicalDatabases.LogicalDatabaseState>;

namespace Cloud.LogicalDatabases;

/// <summary>
/// creation-requested -> stable. The server was chosen with the row; here its database and role are made. Everything
/// is done under the server's own lock of that database and only by the current claim, so a worker that was paused
/// cannot bring back what a deletion has removed (see <see cref="PostgresServers"/>). A server that does not do is
/// exchanged for another one as long as nothing was begun there (<see cref="Rechoice"/>).
/// </summary>
public sealed class Creation(OnServer onServer, Rechoice rechoice)
{
    /// <summary>The row has been moved, so this answer is not saved and the next pass begins at once.</summary>
    private static readonly TimeSpan MovedInterval = TimeSpan.FromSeconds(5);

    /// <summary>creation-requested.</summary>
    public async Task<Answer> MakeAsync(LogicalDatabase row, CancellationToken ct)
    {
        var server = await onServer.ServerOfAsync(row, ct);
        if (await rechoice.MoveAsync(row, server, ct) is { } other)
        {
            return Wait($"it goes to {other.DisplayName}", MovedInterval);
        }

        return await onServer.ActAsync(row, server, CustomerDatabase.EnsureAsync, ct) is { } wait
            ? wait
            : Go(Stable, $"{row.DatabaseName} and {row.RoleName} are there");
    }
}
