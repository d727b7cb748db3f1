using Cloud.ServiceDefaults.Hosting;
using Npgsql;

namespace Cloud.Providers;

/// <summary>
/// The right to work on one database of a server: a session-level advisory lock there. It ends with its session at the
/// latest, whatever happens to the process that took it.
/// </summary>
internal sealed class DatabaseLock : IAsyncDisposable
{
    /// <summary>
    /// How long giving the lock back may take; past it the connection is closed, which gives it back too.
    /// </summary>
    private static readonly TimeSpan ReleaseTimeout = TimeSpan.FromSeconds(2);

    private readonly NpgsqlConnection _connection;
    private readonly string _name;
    private readonly TimeProvider _time;

    private DatabaseLock(NpgsqlConnection connection, string name, TimeProvider time)
    {
        _connection = connection;
        _name = name;
        _time = time;
    }

    /// <summary>
    /// Tries once; null when another session has it. The session is told to notice within half a minute that this host
    /// is gone, and so to let go of the lock; by default servers take hours. It is told each time, because a pooled
    /// session forgets it.
    /// </summary>
    public static async Task<DatabaseLock?> TakeAsync(
        NpgsqlConnection connection, string databaseName, TimeProvider time, CancellationToken ct)
    {
        var name = $"cloud:{databaseName}";
        await using var command = new NpgsqlCommand(
            $"SELECT pg_try_advisory_lock(hashtextextended($1, 0)), {LostHosts.ServerNotices}", connection)
        {
            Parameters = { new() { Value = name } },
        };
        return (bool)(await command.ExecuteScalarAsync(ct))! ? new DatabaseLock(connection, name, time) : null;
    }

    /// <summary>
    /// Gives the lock back. Needed although closing a session does so too: a pooled session stays open.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        if (_connection.FullState.HasFlag(System.Data.ConnectionState.Broken)
            || !_connection.FullState.HasFlag(System.Data.ConnectionState.Open))
        {
            return;
        }

        // The caller's token may be what ended the work; giving back must outlive it, for a bounded time.
        using var bound = new CancellationTokenSource(ReleaseTimeout, _time);
        try
        {
            await using var command = new NpgsqlCommand(
                "SELECT pg_advisory_unlock(hashtextextended($1, 0))", _connection)
            {
                Parameters = { new() { Value = _name } },
            };
            await command.ExecuteNonQueryAsync(bound.Token);
        }
        catch (Exception failure) when (failure is NpgsqlException or OperationCanceledException)
        {
            // A session that cannot answer must not go back to the pool holding the lock.
            NpgsqlConnection.ClearPool(_connection);
        }
    }
}
