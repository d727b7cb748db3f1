using Cloud.DatabaseServers;
using Cloud.Providers;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using static Cloud.ServiceDefaults.Supervision.Outcome;
using Answer = Cloud.ServiceDefaults.Supervision.Outcome<
    Cloud.LogicalDatabases.LogicalDatabase, Cloud.LogicalDatabases.LogicalDatabaseState>;

namespace Cloud.LogicalDatabases;

/// <summary>
/// What creation and deletion share: acting on the row's server as the current claim. A server that is known not to
/// answer, or to turn us away, is not tried again by every database on it; its own row is asked, and tells the
/// databases when it is back.
/// </summary>
public sealed class OnServer(
    PostgresServers servers,
    DatabaseServerStore serverStore,
    LogicalDatabaseStore store,
    AdminPasswords passwords,
    INudges nudges)
{
    /// <summary>How long a database waits for its server when nobody says that it is back.</summary>
    private static readonly TimeSpan ServerAwayInterval = TimeSpan.FromMinutes(1);

    /// <summary>How long a worker waits that lost the row to another.</summary>
    private static readonly TimeSpan TakenOverInterval = TimeSpan.FromSeconds(5);

    /// <summary>The server that a database is on.</summary>
    public async Task<DatabaseServer> ServerOfAsync(LogicalDatabase row, CancellationToken ct) =>
        await serverStore.FindAsync(row.DatabaseServerId, ct)
        ?? throw new InvalidOperationException($"{row.Name} is on a server that has no row.");

    /// <summary>Does the work on the server; answers null when done, else what to wait for.</summary>
    public async Task<Answer?> ActAsync(
        LogicalDatabase row,
        DatabaseServer server,
        Func<ServerSession, DatabaseSpec, CancellationToken, Task> work,
        CancellationToken ct)
    {
        if (server.IsAway)
        {
            return Wait(
                $"{server.DisplayName} must let us work there again: {server.UnreachableReason}", ServerAwayInterval);
        }

        try
        {
            var isDone = await servers.ActAsync(
                passwords.AddressOf(server),
                row.DatabaseName,
                token => store.BeginAsync(row, token),
                (session, token) => work(session, row.Spec, token),
                ct);
            return isDone ? null : Wait("Another worker, or a newer request, has taken it over", TakenOverInterval);
        }
        catch (StepException failure) when (ServerFailures.IsOfTheWholeServer(failure))
        {
            await nudges.SendAsync(new Nudge(serverStore.Noun, server.Id), ct);
            throw;
        }
    }
}
