using System.Text;
using Npgsql;

namespace Cloud.TestHost;

/// <summary>A schema as text, from PostgreSQL's own catalogue: tables with columns, constraints and indexes, in a stable
/// order. Two databases have the same text exactly when a program cannot tell their schemas apart, so that a service's
/// <c>schema.sql</c> (applied to an empty database) can be compared with its migrations.</summary>
public static class SchemaText
{
    private const string ColumnsSql =
        """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
               || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
               || CASE WHEN a.attidentity <> '' THEN ' IDENTITY' ELSE '' END
               || CASE WHEN a.attgenerated <> '' THEN ' GENERATED' ELSE '' END
               || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')
        FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
          AND c.relname <> 'schema_versions'
        ORDER BY 1, 2
        """;

    private const string ConstraintsSql =
        """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = current_schema()::regnamespace AND conrelid::regclass::text <> 'schema_versions'
        ORDER BY 1, 2
        """;

    private const string IndexesSql =
        """
        SELECT tablename, indexname, replace(indexdef, current_schema() || '.', '') FROM pg_indexes
        WHERE schemaname = current_schema() AND tablename <> 'schema_versions'
        ORDER BY 1, 2
        """;

    /// <summary>The text of the schema that the connection's search path names.</summary>
    public static async Task<string> OfAsync(string connectionString, CancellationToken ct)
    {
        await using var source = NpgsqlDataSource.Create(connectionString + ";Pooling=false");
        var text = new StringBuilder();
        foreach (var (kind, sql) in new[] { ("column", ColumnsSql), ("constraint", ConstraintsSql), ("index", IndexesSql) })
        {
            await using var command = source.CreateCommand(sql);
            await using var reader = await command.ExecuteReaderAsync(ct);
            while (await reader.ReadAsync(ct))
            {
                text.Append($"{kind} {reader.GetString(0)}.{reader.GetString(1)}: {reader.GetString(2)}\n");
            }
        }

        return text.ToString();
    }
}
