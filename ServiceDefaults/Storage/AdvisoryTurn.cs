using Npgsql;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>A turn that processes of one service take by an advisory lock in PostgreSQL. It lives in a transaction of
/// its own, because ending that gives the lock back for certain: a lock of the session would stay with the pooled
/// connection. The connection's loss ends the turn too, and its holder may not learn of it; what is done in a turn must
/// therefore be safe to do twice.</summary>
internal sealed class AdvisoryTurn : IAsyncDisposable
{
    private const string LockSql = "SELECT pg_advisory_xact_lock(hashtext($1), hashtext(current_schema()))";

    private readonly NpgsqlConnection _connection;
    private readonly NpgsqlTransaction _transaction;

    private AdvisoryTurn(NpgsqlConnection connection, NpgsqlTransaction transaction) =>
        (_connection, _transaction) = (connection, transaction);

    /// <summary>Waits for the turn, for as long as it takes, but on no connection for longer than a statement may take:
    /// from a server whose host is gone an answer never comes.</summary>
    public static async Task<AdvisoryTurn> TakeAsync(NpgsqlDataSource source, string name, CancellationToken ct)
    {
        while (true)
        {
            var connection = await source.OpenConnectionAsync(ct);
            try
            {
                var transaction = await connection.BeginTransactionAsync(ct);
                await using var command = new NpgsqlCommand(LockSql, connection, transaction);
                command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = name });
                await command.ExecuteNonQueryAsync(ct);
                return new AdvisoryTurn(connection, transaction);
            }
            catch (NpgsqlException e) when (e.InnerException is TimeoutException)
            {
                // Another has the turn, or the server is gone, which opening a connection then tells.
                await connection.DisposeAsync();
            }
            catch
            {
                await connection.DisposeAsync();
                throw;
            }
        }
    }

    /// <summary>Ends the turn.</summary>
    public async ValueTask DisposeAsync()
    {
        await _transaction.DisposeAsync();
        await _connection.DisposeAsync();
    }
}
