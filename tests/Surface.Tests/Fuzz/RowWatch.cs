using Npgsql;

namespace Cloud.Surface.Tests.Fuzz;

/// <summary>A sum over every row of a service's tables: it tells whether a request changed any.</summary>
internal sealed class RowWatch(NpgsqlConnection connection, string sumSql)
{
    public static async Task<RowWatch> OfAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        await using var tables = new NpgsqlCommand(
            """
            SELECT format('SELECT %L AS name, coalesce(sum(hashtextextended(t::text, 0)), 0) AS sum FROM %I AS t',
                          tablename, tablename)
              FROM pg_tables WHERE schemaname = current_schema() AND tablename NOT LIKE 'schemaversions%'
             ORDER BY tablename
            """,
            connection);
        var parts = new List<string>();
        await using (var reader = await tables.ExecuteReaderAsync(ct))
        {
            while (await reader.ReadAsync(ct))
            {
                parts.Add(reader.GetString(0));
            }
        }

        return new RowWatch(
            connection,
            "SELECT string_agg(name || '=' || sum, ' ' ORDER BY name) "
            + $"FROM ({string.Join(" UNION ALL ", parts)}) AS s");
    }

    /// <summary>The sum of each table as it is now.</summary>
    public async Task<string> SumAsync(CancellationToken ct)
    {
        await using var sum = new NpgsqlCommand(sumSql, connection);
        return (string)(await sum.ExecuteScalarAsync(ct))!;
    }
}
