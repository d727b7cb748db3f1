using Cloud.ServiceDefaults.Storage;
using Dapper;

namespace Cloud.LogicalDatabases;

/// <summary>
/// Who was refused for want of room, so that they can be told when there is some: nobody has to ask again and again.
/// A nudge that is lost costs its installation the time until its own next try.
/// </summary>
public sealed class RoomStore(Database database)
{
    /// <summary>
    /// Installations told at once. Each of them that has asked again, with or without success, passes it on to the
    /// next, until all who waited then were told once.
    /// </summary>
    private const int ToldAtOnceMax = 200;

    /// <summary>An installation that has not asked for so long does not wait any more.</summary>
    private static readonly TimeSpan ForgottenAfter = TimeSpan.FromDays(1);

    private const string Installation = "installation";

    private const string LogicalDatabase = "logical_database";

    /// <summary>Notes that an installation was refused.</summary>
    public Task RefusedAsync(string installationId, CancellationToken ct) => database.InTransactionAsync(
        async (tx, token) => await PassOnAsync(
            tx,
            """
            INSERT INTO room_requests (installation_id, first_refused_at, last_refused_at)
            VALUES (@installationId, @now, @now)
            ON CONFLICT (installation_id) DO UPDATE SET last_refused_at = excluded.last_refused_at
            RETURNING told_at
            """,
            new { installationId, now = tx.Now.ToUniversalTime() },
            token),
        ct);

    /// <summary>Notes that an installation has what it asked for, or asks no more.</summary>
    public Task ServedAsync(DatabaseTransaction tx, string installationId, CancellationToken ct) => PassOnAsync(
        tx,
        "DELETE FROM room_requests WHERE installation_id = @installationId RETURNING told_at",
        new { installationId },
        ct);

    /// <summary>A write for the transaction in which room appears: tells the waiting once it is committed.</summary>
    public Func<DatabaseTransaction, CancellationToken, Task> Opened() => TellInstallationsAsync;

    /// <summary>As above for a server that can be worked on: also tells the databases on it that are to be made or
    /// dropped.</summary>
    public Func<DatabaseTransaction, CancellationToken, Task> Opened(string serverId) => async (tx, ct) =>
    {
        await TellInstallationsAsync(tx, ct);
        await TellDatabasesAsync(tx, serverId, ct);
    };

    /// <summary>Tells the databases on a server that are to be made or dropped, once the transaction is
    /// committed.</summary>
    public static async Task TellDatabasesAsync(DatabaseTransaction tx, string serverId, CancellationToken ct)
    {
        var waiting = await tx.Connection.QueryAsync<string>(new CommandDefinition(
            "SELECT id FROM logical_databases WHERE database_server_id = @serverId AND next_attempt_at IS NOT NULL",
            new { serverId },
            tx.Transaction,
            cancellationToken: ct));
        foreach (var id in waiting)
        {
            tx.NudgeAfterCommit(new Nudge(LogicalDatabase, id));
        }
    }

    private static async Task TellInstallationsAsync(DatabaseTransaction tx, CancellationToken ct)
    {
        await tx.Connection.ExecuteAsync(new CommandDefinition(
            "DELETE FROM room_requests WHERE last_refused_at < @before",
            new { before = (tx.Now - ForgottenAfter).ToUniversalTime() },
            tx.Transaction,
            cancellationToken: ct));
        await TellAsync(tx, tx.Now.UtcDateTime, ToldAtOnceMax, ct);
    }

    /// <summary>Writes what an installation's asking came to. If it was told that there is room, the next one is now:
    /// it may fit where this one did not, or there may be more.</summary>
    private static async Task PassOnAsync(DatabaseTransaction tx, string sql, object parameters, CancellationToken ct)
    {
        // Never told, it has nothing to pass on.
        if (await tx.Connection.ExecuteScalarAsync<DateTime?>(new CommandDefinition(
            sql, parameters, tx.Transaction, cancellationToken: ct)) is { } toldAt && toldAt > DateTime.MinValue)
        {
            await TellAsync(tx, toldAt, atOnce: 1, ct);
        }
    }

    /// <summary>Tells those who were not told since a change of room: who was told longest ago first, of them who waits
    /// longest. Who is told gets the time of the change, so that all of one change are told once.</summary>
    private static async Task TellAsync(
        DatabaseTransaction tx, DateTime changedAt, int atOnce, CancellationToken ct)
    {
        var told = await tx.Connection.QueryAsync<string>(new CommandDefinition(
            """
            UPDATE room_requests SET told_at = @changedAt WHERE installation_id IN (
                SELECT installation_id FROM room_requests WHERE told_at < @changedAt
                ORDER BY told_at, first_refused_at LIMIT @atOnce FOR UPDATE SKIP LOCKED)
            RETURNING installation_id
            """,
            new { changedAt, atOnce },
            tx.Transaction,
            cancellationToken: ct));
        foreach (var id in told)
        {
            tx.NudgeAfterCommit(new Nudge(Installation, id));
        }
    }
}
