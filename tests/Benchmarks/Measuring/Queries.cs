using Cloud.Benchmarks.Worlds;
using Npgsql;

namespace Cloud.Benchmarks.Measuring;

/// <summary>What PostgreSQL was asked to do, as <c>pg_stat_statements</c> counts it.</summary>
internal static class Queries
{
    private const int Shown = 40;

    /// <summary>Statements so far of everybody but the benchmark.</summary>
    public static async Task<double> CountAsync(LocalStores stores, CancellationToken ct)
    {
        await using var source = NpgsqlDataSource.Create(stores.AdminConnectionString);
        await using var command = source.CreateCommand(
            """
            SELECT coalesce(sum(calls), 0)::float8 FROM pg_stat_statements
            WHERE userid <> (SELECT oid FROM pg_roles WHERE rolname = current_user)
            """);
        return (double)(await command.ExecuteScalarAsync(ct))!;
    }

    /// <summary>Forgets what was counted.</summary>
    public static async Task ResetAsync(LocalStores stores, CancellationToken ct)
    {
        await using var source = NpgsqlDataSource.Create(stores.AdminConnectionString);
        await using var command = source.CreateCommand("SELECT pg_stat_statements_reset()");
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Those that came most often, for people.</summary>
    public static async Task<IReadOnlyList<string>> MostAsync(LocalStores stores, CancellationToken ct)
    {
        await using var source = NpgsqlDataSource.Create(stores.AdminConnectionString);
        await using var command = source.CreateCommand(
            $"""
            SELECT format('%s x %s: %s (%s ms)', calls, rolname,
                left(regexp_replace(query, '\s+', ' ', 'g'), 60) || ' ... '
                    || right(regexp_replace(query, '\s+', ' ', 'g'), 60),
                round(total_exec_time::numeric, 1))
            FROM pg_stat_statements JOIN pg_roles ON pg_roles.oid = userid WHERE rolname <> current_user
            ORDER BY calls DESC LIMIT {Shown}
            """);
        await using var reader = await command.ExecuteReaderAsync(ct);
        var lines = new List<string>();
        while (await reader.ReadAsync(ct))
        {
            lines.Add(reader.GetString(0));
        }

        return lines;
    }
}
