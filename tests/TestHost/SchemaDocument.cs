using System.Text;
using Npgsql;

namespace Cloud.TestHost;

/// <summary>
/// A service's whole schema as one readable text, from the catalogs of a migrated database. Kept beside the migrations
/// as <c>Migrations/schema.sql</c>, so that a reader need not add them up in the head; a test compares the two. The
/// tables that every service has (outbox, request ledger, journal) are left out.
/// </summary>
public static class SchemaDocument
{
    private const string SharedTables = "'outbox', 'outbox_progress', 'request_ledger', 'schema_versions'";

    private const string Tables =
        $"""
        SELECT c.oid, c.relname FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND c.relname NOT IN ({SharedTables})
        ORDER BY c.relname
        """;

    private const string Columns =
        """
        SELECT a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
            || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
            || CASE WHEN a.attgenerated = 's' THEN ' GENERATED ALWAYS AS ' || pg_get_expr(
                d.adbin, d.adrelid) || ' STORED'
                WHEN a.attidentity <> '' THEN ' GENERATED ALWAYS AS IDENTITY'
                WHEN d.adbin IS NOT NULL THEN ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)
                ELSE '' END
        FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
        """;

    private const string Constraints =
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = $1 ORDER BY contype DESC, conname";

    private const string Indexes =
        """
        SELECT replace(pg_get_indexdef(indexrelid), current_schema() || '.', '') || ';' FROM pg_index
        WHERE indrelid = $1 AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND conrelid = $1)
        ORDER BY indexrelid::regclass::text
        """;

    private const string Triggers =
        """
        SELECT replace(pg_get_triggerdef(oid), current_schema() || '.', '') || ';' FROM pg_trigger
        WHERE tgrelid = $1 AND NOT tgisinternal ORDER BY tgname
        """;

    private const string Functions =
        """
        SELECT replace(pg_get_functiondef(oid), current_schema() || '.', '') || ';' FROM pg_proc
        WHERE pronamespace = current_schema()::regnamespace ORDER BY proname
        """;

    /// <summary>The text of the schema that the connection string's role works in.</summary>
    public static async Task<string> OfAsync(string connectionString, CancellationToken ct)
    {
        await using var source = NpgsqlDataSource.Create(connectionString + ";Pooling=false");
        var text = new StringBuilder(
            "-- All migrations added up. A test compares; change the migrations, then this.\n");
        foreach (var (table, name) in await TablesAsync(source, ct))
        {
            var members = (await TextsAsync(source, Columns, table, ct))
                .Concat(await TextsAsync(source, Constraints, table, ct));
            text.Append(
                "\nCREATE TABLE ").Append(name).Append(" (\n    ").AppendJoin(",\n    ", members).Append("\n);\n");
            foreach (var definition in (await TextsAsync(source, Indexes, table, ct))
                .Concat(await TextsAsync(source, Triggers, table, ct)))
            {
                text.Append(definition).Append('\n');
            }
        }

        foreach (var function in await TextsAsync(source, Functions, null, ct))
        {
            text.Append('\n').Append(function).Append('\n');
        }

        return text.ToString();
    }

    /// <summary>What stands beside a service's migrations; with <c>CLOUD_UPDATE_GOLDEN=1</c> the schema is written
    /// there first.</summary>
    /// <param name="service">Its folder.</param>
    /// <param name="schema">As it is.</param>
    /// <param name="ct">Cuts it short.</param>
    public static async Task<string> WrittenAsync(string service, string schema, CancellationToken ct)
    {
        var path = Path.Combine(Repository.Root, "services", service, "Migrations", "schema.sql");
        if (Environment.GetEnvironmentVariable("CLOUD_UPDATE_GOLDEN") == "1")
        {
            await File.WriteAllTextAsync(path, schema, ct);
        }

        return await File.ReadAllTextAsync(path, ct);
    }

    private static async Task<IReadOnlyList<(uint Oid, string Name)>> TablesAsync(
        NpgsqlDataSource source, CancellationToken ct)
    {
        await using var command = source.CreateCommand(Tables);
        await using var reader = await command.ExecuteReaderAsync(ct);
        var tables = new List<(uint, string)>();
        while (await reader.ReadAsync(ct))
        {
            tables.Add((await reader.GetFieldValueAsync<uint>(0, ct), reader.GetString(1)));
        }

        return tables;
    }

    private static async Task<IReadOnlyList<string>> TextsAsync(
        NpgsqlDataSource source, string sql, uint? table, CancellationToken ct)
    {
        await using var command = source.CreateCommand(sql);
        if (table is not null)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = table, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Oid });
        }

        await using var reader = await command.ExecuteReaderAsync(ct);
        var texts = new List<string>();
        while (await reader.ReadAsync(ct))
        {
            texts.Add(reader.GetString(0));
        }

        return texts;
    }
}
