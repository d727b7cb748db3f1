using Cloud.Providers;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Dapper;
using Google.Protobuf;
using Npgsql;

namespace Cloud.DatabaseServers;

/// <summary>Which servers a list is about.</summary>
public sealed record DatabaseServerFilter(IReadOnlyList<string> States, bool ShowDeleted);

/// <summary>All SQL of database servers.</summary>
public sealed class DatabaseServerStore(Database database)
    : SupervisedStore<DatabaseServer, DatabaseServerState>(
        database, "database_servers", "database_server", "databaseServers")
{
    /// <summary>Constraint that keeps display names apart.</summary>
    public const string DisplayNameIndex = "database_servers_display_name";

    /// <summary>Constraint that keeps addresses apart.</summary>
    public const string AddressIndex = "database_servers_address";

    /// <summary>Kept by a trigger on logical databases.</summary>
    private const string CountsSql =
        "SELECT database_server_id, databases FROM database_server_loads WHERE database_server_id = ANY (@ids)";

    /// <summary>One server with its count, whatever its state.</summary>
    public async Task<DatabaseServer?> FindCountedAsync(string id, CancellationToken ct) =>
        await FindAsync(id, ct) is { } server ? (await CountedAsync([server], ct))[0] : null;

    /// <summary>How many logical databases live on servers, by id; a server without any is missing.</summary>
    public async Task<IReadOnlyDictionary<string, int>> CountDatabasesAsync(
        IReadOnlyList<string> ids, CancellationToken ct)
    {
        await using var connection = await Database.OpenAsync(ct);
        return await CountsAsync(connection, null, [.. ids], ct);
    }

    /// <summary>A page of servers, oldest first, with their counts.</summary>
    public async Task<IReadOnlyList<DatabaseServer>> ListAsync(
        DatabaseServerFilter filter, PageKey? after, int count, CancellationToken ct) =>
        await CountedAsync(await UncountedAsync(filter, after, count, ct), ct);

    /// <summary>As above, without their counts.</summary>
    public Task<IReadOnlyList<DatabaseServer>> UncountedAsync(
        DatabaseServerFilter filter, PageKey? after, int count, CancellationToken ct) =>
        PageAsync(
            new Conditions()
                .InStates(filter.States)
                .AddUnless(filter.ShowDeleted || filter.States.Contains("deleted"), "state <> 'deleted'"),
            after,
            count,
            ct);

    /// <summary>
    /// All live servers with their counts, locked against other choices, changes and deletions until the transaction
    /// ends. Counting is a statement of its own, after the lock is held: it sees what those before have committed.
    /// </summary>
    public async Task<IReadOnlyList<DatabaseServer>> LockLiveAsync(DatabaseTransaction tx, CancellationToken ct)
    {
        var servers = await SelectAsync(tx, "WHERE state <> 'deleted' ORDER BY id FOR NO KEY UPDATE", null, ct);
        return await CountedAsync(tx, servers, ct);
    }

    /// <summary>One server with its count, locked as above; null when there is none.</summary>
    public async Task<DatabaseServer?> LockAsync(DatabaseTransaction tx, string id, CancellationToken ct)
    {
        var servers = await SelectAsync(tx, "WHERE id = @id FOR NO KEY UPDATE", new { id }, ct);
        return (await CountedAsync(tx, servers, ct)).SingleOrDefault();
    }

    /// <summary>Live servers that were looked at and cannot be used now.</summary>
    public Task<IReadOnlyList<DatabaseServer>> AwayAsync(CancellationToken ct) =>
        SelectAsync(
            "WHERE state = 'provisioning-failed' OR (state = 'stable' AND NOT reachable) ORDER BY create_time, id",
            null, ct);

    /// <inheritdoc/>
    protected override DatabaseServer Stamp(DatabaseServer row, DateTimeOffset now) => row with { UpdateTime = now };

    /// <inheritdoc/>
    protected override ResourceEvent? EventFor(DatabaseServer? before, DatabaseServer after, ResourceEvent draft) =>
        draft with
        {
            Snapshot = after.ToProto().ToByteArray(),
            Nudges = after.State == DatabaseServerState.Deleted ? [new Nudge(PostgresServers.Noun, after.Id)] : [],
        };

    private static IReadOnlyList<DatabaseServer> With(
        IReadOnlyList<DatabaseServer> servers, IReadOnlyDictionary<string, int> counts) =>
        [.. servers.Select(s => s with { DatabaseCount = counts.GetValueOrDefault(s.Id) })];

    private static async Task<IReadOnlyList<DatabaseServer>> CountedAsync(
        DatabaseTransaction tx, IReadOnlyList<DatabaseServer> servers, CancellationToken ct) =>
        With(servers, await CountsAsync(tx.Connection, tx.Transaction, [.. servers.Select(s => s.Id)], ct));

    private async Task<IReadOnlyList<DatabaseServer>> CountedAsync(
        IReadOnlyList<DatabaseServer> servers, CancellationToken ct) =>
        With(servers, await CountDatabasesAsync([.. servers.Select(s => s.Id)], ct));

    private static async Task<IReadOnlyDictionary<string, int>> CountsAsync(
        NpgsqlConnection connection, NpgsqlTransaction? transaction, string[] ids, CancellationToken ct)
    {
        var counts = await connection.QueryAsync<(string Id, int Count)>(new CommandDefinition(
            CountsSql, new { ids }, transaction, cancellationToken: ct));
        return counts.ToDictionary(c => c.Id, c => c.Count, StringComparer.Ordinal);
    }
}
