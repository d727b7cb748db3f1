using Cloud.TestHost;
using Dapper;
using Npgsql;

namespace Cloud.Chaos.World;

/// <summary>A supervised row, whatever its noun.</summary>
/// <param name="Resource">Its resource name.</param>
/// <param name="Installation">The id of the installation that it is or serves; empty for the rest.</param>
/// <param name="EndsSoon">Whether its deletion is pending, and becomes final while somebody may be looking.</param>
internal sealed record Row(
    string Source, string Resource, string Installation, string State, long Version, bool EndsSoon, string? WaitingFor,
    string? LastErrorCode, string? LastError);

/// <summary>An event as its service's outbox, or the feed of Metrics, holds it.</summary>
internal sealed record EventRow(
    long Position, string Source, long SourceSequence, string Resource, string Type, string OldState, string NewState,
    string Reason, string ErrorCode, string Actor, string RequestId, long ResourceVersion)
{
    public override string ToString() =>
        $"{Source} {SourceSequence}, {Resource} {ResourceVersion}: {Type} {OldState} -> {NewState} "
        + $"({Reason}) {ErrorCode}";
}

/// <summary>The services' tables, read as a superuser: what is really there, not what the API says.</summary>
internal sealed class Tables(LocalWorld world)
{
    /// <summary>Schema and source name of each service with an outbox.</summary>
    public static readonly IReadOnlyDictionary<string, string> Sources = new Dictionary<string, string>
    {
        ["installation"] = "installation", ["cluster"] = "cluster", ["database_pool"] = "database-pool",
    };

    private const string RowColumns =
        """
        waiting_for AS "WaitingFor", last_error_code AS "LastErrorCode", last_error AS "LastError"
        """;

    private const string RowsSql =
        $"""
        SELECT 'installation' AS "Source", 'installations/' || id AS "Resource", id AS "Installation",
               state, version, COALESCE(purge_time < now() + interval '10 minutes', false) AS "EndsSoon", {RowColumns}
        FROM installation.installations
        UNION ALL SELECT 'cluster', 'clusters/' || id, '', state, version, false, {RowColumns} FROM cluster.clusters
        UNION ALL SELECT 'cluster', 'clusterInstallations/' || id, installation_id, state, version, false, {RowColumns}
        FROM cluster.cluster_installations
        UNION ALL SELECT 'database-pool', 'databaseServers/' || id, '', state, version, false, {RowColumns}
        FROM database_pool.database_servers
        UNION ALL
        SELECT 'database-pool', 'logicalDatabases/' || id, installation_id, state, version, false, {RowColumns}
        FROM database_pool.logical_databases
        """;

    private const string FeedSql =
        """
        SELECT sequence AS "Position", source, source_sequence AS "SourceSequence", resource, type,
               old_state AS "OldState", new_state AS "NewState", reason, error_code AS "ErrorCode", actor,
               request_id AS "RequestId", resource_version AS "ResourceVersion"
        FROM metrics.events ORDER BY sequence
        """;

    public Task<IReadOnlyList<Row>> RowsAsync(CancellationToken ct) => QueryAsync<Row>("cloud", RowsSql, ct);

    public Task<IReadOnlyList<EventRow>> FeedAsync(CancellationToken ct) => QueryAsync<EventRow>("cloud", FeedSql, ct);

    /// <summary>A service's own outbox, in the order in which it was numbered; what has no number yet comes
    /// last.</summary>
    public Task<IReadOnlyList<EventRow>> OutboxAsync(string schema, CancellationToken ct) => QueryAsync<EventRow>(
        "cloud",
        $"""
        SELECT position AS "Position", '{Sources[schema]}' AS "Source", COALESCE(sequence, 0) AS "SourceSequence",
               resource, type, COALESCE(old_state, '') AS "OldState", COALESCE(new_state, '') AS "NewState",
               COALESCE(reason, '') AS "Reason", COALESCE(error_code, '') AS "ErrorCode",
               COALESCE(actor, '') AS "Actor", COALESCE(request_id, '') AS "RequestId",
               resource_version AS "ResourceVersion"
        FROM {schema}.outbox ORDER BY sequence NULLS LAST, position
        """,
        ct);

    /// <summary>Ids of installations that hold a reservation in a cluster.</summary>
    public Task<IReadOnlyList<string>> ReservationsAsync(CancellationToken ct) =>
        QueryAsync<string>("cloud", "SELECT installation_id FROM cluster.reservations", ct);

    /// <summary>Where numbers that are kept up differ from what they sum up.</summary>
    public Task<IReadOnlyList<string>> WrongSumsAsync(CancellationToken ct) =>
        QueryAsync<string>("cloud", KeptSums.OfAll, ct);

    /// <summary>Databases and roles on the customers' server that belong to installations.</summary>
    public Task<IReadOnlyList<string>> CustomersAsync(CancellationToken ct) => QueryAsync<string>(
        "postgres",
        """
        SELECT 'database ' || datname FROM pg_database WHERE datname LIKE 'cloud\_%'
        UNION ALL SELECT 'role ' || rolname FROM pg_roles WHERE rolname LIKE 'user\_%'
        """,
        ct);

    /// <summary>Outbox events that are not in the feed yet.</summary>
    public async Task<long> UndeliveredAsync(CancellationToken ct) => (await QueryAsync<long>(
        "cloud",
        string.Join(" UNION ALL ", Sources.Select(source =>
            $"""
            SELECT (SELECT count(*) FROM {source.Key}.outbox WHERE sequence IS NULL OR sequence > COALESCE(
                (SELECT source_sequence FROM metrics.sources WHERE source = '{source.Value}'), 0))
            """)),
        ct)).Sum();

    private async Task<IReadOnlyList<T>> QueryAsync<T>(string database, string sql, CancellationToken ct)
    {
        await using var connection = new NpgsqlConnection(await world.PostgresAsync("postgres", database, ct));
        await connection.OpenAsync(ct);
        return [.. await connection.QueryAsync<T>(new CommandDefinition(sql, cancellationToken: ct))];
    }
}
