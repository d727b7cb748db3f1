using System.Globalization;
using Npgsql;

namespace Cloud.Simulator.Applications;

/// <summary>What one look into an application's database found.</summary>
internal sealed record DatabaseCheck(TimeSpan Took, string? SchemaVersion, string? Problem);

/// <summary>
/// The SQL of the simulated application: its tables, made and brought up to date in one transaction, and the check
/// behind its ping. Opens a connection for each call and closes it.
/// </summary>
/// <remarks>
/// At most <see cref="AtOnce"/> connections are open at a time, so that a thousand starts do not use up a server.
/// </remarks>
internal sealed class ApplicationStore(TimeProvider clock) : IDisposable
{
    private const int AtOnce = 8;

    /// <summary>One number for all migrations of a database, so that pods starting together take turns.</summary>
    private const string Schema = """
        SELECT pg_advisory_xact_lock(7210394);
        CREATE TABLE IF NOT EXISTS systems (name varchar(64) PRIMARY KEY, value varchar(1024));
        CREATE TABLE IF NOT EXISTS users (
            id varchar(26) PRIMARY KEY, createat bigint, username varchar(64) UNIQUE, email varchar(128) UNIQUE);
        CREATE TABLE IF NOT EXISTS teams (
            id varchar(26) PRIMARY KEY, createat bigint, name varchar(64) UNIQUE, displayname varchar(64));
        CREATE TABLE IF NOT EXISTS channels (
            id varchar(26) PRIMARY KEY, createat bigint, teamid varchar(26), name varchar(64), UNIQUE (name, teamid));
        CREATE TABLE IF NOT EXISTS posts (
            id varchar(26) PRIMARY KEY, createat bigint, userid varchar(26), channelid varchar(26),
            message varchar(65535));
        CREATE INDEX IF NOT EXISTS idx_posts_channel_create_at ON posts (channelid, createat);
        """;

    private readonly SemaphoreSlim _slots = new(AtOnce);

    /// <summary>
    /// Makes the tables that are missing, and records this version, and the first one ever, with its date.
    /// </summary>
    public async Task MigrateAsync(DataSource source, string version, CancellationToken ct)
    {
        await _slots.WaitAsync(ct);
        try
        {
            await using var database = Open(source);
            await using var connection = await database.OpenConnectionAsync(ct);
            await using var transaction = await connection.BeginTransactionAsync(ct);
            await using var schema = new NpgsqlCommand(Schema, connection, transaction);
            await schema.ExecuteNonQueryAsync(ct);
            await using var record = new NpgsqlCommand("""
                INSERT INTO systems (name, value)
                VALUES ('FirstServerVersion', $1), ('InstallationDate', $2) ON CONFLICT (name) DO NOTHING;
                """, connection, transaction);
            record.Parameters.Add(new() { Value = version });
            var installed = clock.GetUtcNow().ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture);
            record.Parameters.Add(new() { Value = installed });
            await record.ExecuteNonQueryAsync(ct);
            await using var current = new NpgsqlCommand("""
                INSERT INTO systems (name, value) VALUES ('Version', $1)
                ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE systems.value <> excluded.value;
                """, connection, transaction);
            current.Parameters.Add(new() { Value = version });
            await current.ExecuteNonQueryAsync(ct);
            await transaction.CommitAsync(ct);
        }
        finally
        {
            _slots.Release();
        }
    }

    /// <summary>Looks into the database now; a failure is an answer, not an error.</summary>
    public async Task<DatabaseCheck> CheckAsync(DataSource source, CancellationToken ct)
    {
        var began = clock.GetTimestamp();
        try
        {
            await _slots.WaitAsync(ct);
            try
            {
                await using var database = Open(source);
                await using var connection = await database.OpenConnectionAsync(ct);
                await using var command = new NpgsqlCommand(
                    "SELECT value FROM systems WHERE name = 'Version'", connection);
                var version = await command.ExecuteScalarAsync(ct) as string;
                return new DatabaseCheck(clock.GetElapsedTime(began), version, null);
            }
            finally
            {
                _slots.Release();
            }
        }
        catch (NpgsqlException problem)
        {
            return new DatabaseCheck(clock.GetElapsedTime(began), null, problem.Message);
        }
    }

    public void Dispose() => _slots.Dispose();

    private static NpgsqlDataSource Open(DataSource source)
    {
        var database = new NpgsqlDataSourceBuilder(source.ConnectionString);
        // Else the first connection to each workspace would read the catalogue of types: half as much work again.
        database.ConfigureTypeLoading(types => types.EnableTypeLoading(false));
        return database.Build();
    }
}
