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
    /// Installations told at once, oldest refusal first; those that are refused again stay in the list.
    /// </summary>
    private const int ToldAtOnceMax = 200;

    /// <summary>An installation that has not asked for so long does not wait any more.</summary>
    private static readonly TimeSpan ForgottenAfter = TimeSpan.FromDays(1);

    private const string Installation = "installation";

    private const string LogicalDatabase = "logical_database";

    /// <summary>Notes that an installation was refused.</summary>
    public Task RefusedAsync(string installationId, CancellationToken ct) => database.InTransactionAsync(
        (tx, token) => ExecuteAsync(
            tx,
            """
            INSERT INTO room_requests (installation_id, first_refused_at, last_refused_at)
            VALUES (@installationId, @now, @now)
            ON CONFLICT (installation_id) DO UPDATE SET last_refused_at = excluded.last_refused_at
            """,
            new { installationId, now = tx.Now.ToUniversalTime() },
            token),
        ct);

    /// <summary>Notes that an installation has what it asked for, or asks no more.</summary>
    public Task ServedAsync(DatabaseTransaction tx, string installationId, CancellationToken ct) =>
        ExecuteAsync(
            tx, "DELETE FROM room_requests WHERE installation_id = @installationId", new { installationId }, ct);

    /// <summary>A write for the transaction in which room appears: tells the waiting once it is committed.</summary>
    public Func<DatabaseTransaction, CancellationToken, Task> Opened() => TellInstallationsAsync;

    /// <summary>As above for a server that can be worked on: also tells the databases on it that are to be made or
    /// dropped.</summary>
    public Func<DatabaseTransaction, CancellationToken, Task> Opened(string serverId) => async (tx, ct) =>
    {
        await TellInstallationsAsync(tx, ct);
        var waiting = await tx.Connection.QueryAsync<string>(new CommandDefinition(
            "SELECT id FROM logical_databases WHERE database_server_id = @serverId AND next_attempt_at IS NOT NULL",
            new { serverId },
            tx.Transaction,
            cancellationToken: ct));
        foreach (var id in waiting)
        {
            tx.NudgeAfterCommit(new Nudge(LogicalDatabase, id));
        }
    };

    private static async Task TellInstallationsAsync(DatabaseTransaction tx, CancellationToken ct)
    {
        var before = (tx.Now - ForgottenAfter).ToUniversalTime();
        await ExecuteAsync(tx, "DELETE FROM room_requests WHERE last_refused_at < @before", new { before }, ct);
        var waiting = await tx.Connection.QueryAsync<string>(new CommandDefinition(
            "SELECT installation_id FROM room_requests ORDER BY first_refused_at LIMIT @most",
            new { most = ToldAtOnceMax },
            tx.Transaction,
            cancellationToken: ct));
        foreach (var id in waiting)
        {
            tx.NudgeAfterCommit(new Nudge(Installation, id));
        }
    }

    private static Task<int> ExecuteAsync(
        DatabaseTransaction tx, string sql, object parameters, CancellationToken ct) =>
        tx.Connection.ExecuteAsync(new CommandDefinition(sql, parameters, tx.Transaction, cancellationToken: ct));
}
