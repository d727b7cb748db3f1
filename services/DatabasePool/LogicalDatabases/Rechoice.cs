using Cloud.DatabaseServers;
using Cloud.ServiceDefaults.Storage;

namespace Cloud.LogicalDatabases;

/// <summary>
/// A database of which nothing can be on its server yet goes to another one when its own does not do: at once when that
/// is closed, failed or let go, after a while when it only does not answer. With the choice the row gets a new version,
/// so whoever is still about to begin on the former server finds that the row was moved, and does not begin: there are
/// never two databases.
/// </summary>
public sealed class Rechoice(DatabaseServerStore servers, LogicalDatabaseStore store, Database database)
{
    /// <summary>How long a server that is silent is waited for.</summary>
    public static readonly TimeSpan SilencePatience = TimeSpan.FromMinutes(1);

    /// <summary>The server that it goes to; null when it stays: its server does, or it was begun there, or no other
    /// has room.</summary>
    public async Task<DatabaseServer?> MoveAsync(LogicalDatabase row, DatabaseServer server, CancellationToken ct)
    {
        var mayPass = server is
        {
            AllowDatabases: true, State: DatabaseServerState.Stable or DatabaseServerState.ProvisioningRequested,
        };
        if (Choice.UnfitnessOf(server) is not { } unfitness
            || (mayPass && database.Now < row.StateSince + SilencePatience))
        {
            return null;
        }

        return await database.InTransactionAsync(
            async (tx, token) =>
            {
                var choice = Choice.Of(await servers.LockLiveAsync(tx, token));
                if (choice.Server is not { } other || other.Id == server.Id
                    || await LogicalDatabaseStore.IsBegunAsync(tx, row.Id, token))
                {
                    return null;
                }

                var moved = await store.ChangeAsync(
                    tx,
                    row.Id,
                    current => current.Version == row.Version && current.Epoch == row.Epoch
                        ? current with { DatabaseServerId = other.Id }
                        : current,
                    $"{server.DisplayName}: {unfitness}; it goes to {other.DisplayName}",
                    token);
                return moved?.DatabaseServerId == other.Id ? other : null;
            },
            ct);
    }
}
