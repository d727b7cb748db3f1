using Cloud.LogicalDatabases;
using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;
using static Cloud.DatabaseServers.DatabaseServerState;

namespace Cloud.DatabaseServers;

/// <summary>
/// Any state -> deleted, at once and by request: a server that will never answer again is forgotten, and everything on
/// it left behind. Databases that were to be dropped there are told: with their server gone, they are done.
/// </summary>
public sealed class Forgetting(DatabaseServerStore servers, LogicalDatabaseStore databases)
{
    /// <summary>Databases that a refusal names: statuses travel in headers, which are small.</summary>
    private const int NamedMax = 20;

    /// <summary>Forgets a server whose row is locked.</summary>
    public async Task<DatabaseServer> ForgetAsync(DatabaseTransaction tx, DatabaseServer locked, CancellationToken ct)
    {
        if (locked.State == Deleted)
        {
            return locked;
        }

        if (locked is { State: Stable, Reachable: true })
        {
            throw Problem.FailedPrecondition(
                ErrorReason.DatabaseServerAnswers,
                locked.Name,
                $"{locked.DisplayName} answers, so nothing of ours has to be left behind on it; delete it without "
                + "force.");
        }

        var inside = await databases.OnServerAsync(tx, locked.Id, ct);
        var living = inside.Where(row => !row.IsLeaving).ToList();
        if (living.Count > 0)
        {
            throw InUse(locked, living);
        }

        var row = await servers.ChangeAsync(
            tx,
            locked.Id,
            server => server with
            {
                State = Deleted,
                AdminPassword = "",
                Reachable = false,
                LeftBehind =
                [
                    .. inside.SelectMany(r => (string[])[$"databases/{r.DatabaseName}", $"roles/{r.RoleName}"]),
                ],
            },
            "it was forgotten without an answer from it; what was ours on it is left behind",
            ct);
        await RoomStore.TellDatabasesAsync(tx, locked.Id, ct);
        return row!;
    }

    private static ProblemException InUse(DatabaseServer server, List<LogicalDatabase> living)
    {
        var names = string.Join(", ", living.Take(NamedMax).Select(row => row.Name));
        var more = living.Count > NamedMax ? $" and {living.Count - NamedMax} more" : "";
        return Problem.FailedPrecondition(
            ErrorReason.DatabaseServerInUse,
            server.Name,
            $"{server.DisplayName} holds {living.Count} logical databases that nobody has asked to delete: "
            + $"{names}{more}.",
            new Dictionary<string, string> { ["database_count"] = $"{living.Count}", ["names"] = names });
    }
}
