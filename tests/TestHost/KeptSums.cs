namespace Cloud.TestHost;

/// <summary>The numbers that triggers keep up, compared with what they sum up, by statements that answer where they
/// differ. One statement sees one moment, so they may be asked while work goes on.</summary>
public static class KeptSums
{
    /// <summary>By schema, with <c>{0}</c> for the schema and its dot, or for nothing.</summary>
    private static readonly Dictionary<string, string> Sql = new()
    {
        ["cluster"] =
            """
            SELECT format('reserved in %s is %s, and is kept as %s', cluster_id, real, kept) FROM (
                SELECT cluster_id, ROW(sum(cpu_millis)::bigint, sum(memory_bytes)::bigint, sum(pods)::int,
                    count(*)::int, (count(*) FILTER (WHERE affinity = 'isolated'))::int)::text AS real
                FROM {0}reservations GROUP BY cluster_id) AS reservations
            FULL JOIN (
                SELECT cluster_id, ROW(cpu_millis, memory_bytes, pods, installations, isolated)::text AS kept
                FROM {0}reserved) AS reserved USING (cluster_id)
            WHERE coalesce(real, '(0,0,0,0,0)') <> coalesce(kept, '(0,0,0,0,0)')
            """,
        ["database_pool"] =
            """
            SELECT format('%s databases live on %s, and %s are kept', real, database_server_id, kept) FROM (
                SELECT database_server_id, count(*) AS real FROM {0}logical_databases
                WHERE state <> 'deleted' GROUP BY database_server_id) AS databases
            FULL JOIN (SELECT database_server_id, databases AS kept FROM {0}database_server_loads) AS loads
                USING (database_server_id)
            WHERE coalesce(real, 0) <> coalesce(kept, 0)
            """,
        ["metrics"] =
            """
            SELECT format('%s of %s are %s, and %s are kept', real, resource_type, state, kept) FROM (
                SELECT resource_type, state, count(*) AS real FROM {0}fleet GROUP BY resource_type, state) AS fleet
            FULL JOIN (SELECT resource_type, state, count AS kept FROM {0}fleet_counts) AS counts
                USING (resource_type, state)
            WHERE coalesce(real, 0) <> coalesce(kept, 0)
            """,
    };

    private const string WithoutReferences =
        """
        DO $$ DECLARE one record; BEGIN
            FOR one IN SELECT conrelid::regclass AS of, conname FROM pg_constraint
                WHERE contype = 'f' AND connamespace = current_schema()::regnamespace
            LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', one.of, one.conname); END LOOP;
        END $$
        """;

    /// <summary>For a connection that sees all schemas.</summary>
    public static string OfAll { get; } = string.Join(
        "\nUNION ALL\n", Sql.Select(entry => entry.Value.Replace("{0}", entry.Key + ".", StringComparison.Ordinal)));

    /// <summary>Executes statements one after the other in a database of a service, which need not mind what their
    /// rows refer to.</summary>
    /// <returns>The statements after which sums were wrong, and how.</returns>
    public static async Task<IReadOnlyList<string>> WrongAfterAsync(
        TestDatabase database, string schema, IReadOnlyList<string> statements, CancellationToken ct)
    {
        var wrong = new List<string>();
        foreach (var statement in statements.Prepend(WithoutReferences))
        {
            await using var change = database.Source.CreateCommand(statement);
            await change.ExecuteNonQueryAsync(ct);
            await using var compare = database.Source.CreateCommand(
                Sql[schema].Replace("{0}", "", StringComparison.Ordinal));
            await using var reader = await compare.ExecuteReaderAsync(ct);
            while (await reader.ReadAsync(ct))
            {
                wrong.Add($"{statement}: {reader.GetString(0)}");
            }
        }

        return wrong;
    }
}
