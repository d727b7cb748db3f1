using System.Globalization;
using Cloud.TestHost;
using Npgsql;

namespace Cloud.Surface.Tests.Plans;

/// <summary>
/// A fleet of some years in every table: 100,000 rows each, of which nearly all are at rest, the oldest third deleted,
/// and a few due. Of what is few by nature (clusters, database servers, webhooks) there are <see cref="FewRows"/> rows,
/// of which <see cref="FewLive"/> are not deleted. Columns that nobody speaks of here get what their type needs, so a
/// new column needs no word.
/// </summary>
internal static class Seeds
{
    public const int Rows = 100_000;

    private const int FewLive = 20;

    private const int FewRows = 1_000;

    /// <summary>Rows that belong to one cluster, server or webhook.</summary>
    public const int OfOneOfFew = Rows / FewLive;

    private const string TablesSql =
        "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'";

    private const string IndexesSql =
        """
        SELECT pg_get_indexdef(indexrelid) || ' -- ' || indexrelid::regclass FROM pg_index
        WHERE indrelid = $1::regclass AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
        """;

    private const string ColumnsSql =
        """
        SELECT column_name || ':' || data_type || ':'
            || CASE WHEN is_nullable = 'NO' AND column_default IS NULL THEN 'needed' ELSE 'free' END
        FROM information_schema.columns
        WHERE table_schema = current_schema() AND table_name = $1 AND is_identity = 'NO' AND is_generated = 'NEVER'
        """;

    /// <summary>A resource at rest.</summary>
    public static readonly string Live = Id(Rows - 10);

    /// <summary>A resource that is due, in every table with a loop.</summary>
    public static readonly string Due = Id(Rows);

    /// <summary>A webhook that has no queue yet.</summary>
    public static readonly string Fresh = Id(Rows - 1);

    /// <summary>Those that are few by nature.</summary>
    public static readonly string[] Few = [.. Enumerable.Range(Rows - FewLive + 1, FewLive).Select(Id)];

    private const string IdOfN = "'r' || lpad(n::text, 25, '0')";

    private static readonly string OneOfFew = $"'r' || lpad(({Rows} - n % {FewLive})::text, 25, '0')";

    private static readonly Dictionary<string, string> Columns = new()
    {
        ["id"] = IdOfN,
        ["state"] = "CASE WHEN n <= 30000 THEN 'deleted' WHEN n % 2500 = 0 THEN '{due}' WHEN n % 2500 = 1 "
            + "THEN 'creation-failed' ELSE 'stable' END",
        ["delete_time"] = "CASE WHEN n <= 30000 THEN now() - interval '100 days' END",
        ["next_attempt_at"] = "CASE WHEN n > 30000 AND n % 2500 = 0 THEN now() - n * interval '1 ms' END",
        ["create_time"] = "now() - interval '400 days' + n * interval '5 min'",
        ["installation_id"] = IdOfN,
        ["cluster_id"] = OneOfFew,
        ["database_server_id"] = OneOfFew,
        ["display_name"] = "'name-' || n",
        ["host"] = "'host-' || n || '.example.com'",
        ["resource"] = "'installations/' || " + IdOfN,
        ["installation"] = "'installations/' || " + IdOfN,
        ["resource_type"] = "CASE WHEN n % 5000 = 0 THEN '{quiet}' ELSE '{noun}' END",
        ["connection_limit"] = "10",
    };

    /// <summary>By table, what is its own; by host, the state that a loop works on and the nouns of its feed.</summary>
    private static readonly Dictionary<string, (string Due, string Noun, string Quiet)> Hosts = new()
    {
        ["installation"] = ("creation-requested", "installation", "installation"),
        ["cluster"] = ("creation-requested", "cluster_installation", "cluster"),
        ["databasepool"] = ("creation-requested", "logical_database", "database_server"),
        ["metrics"] = ("enabled", "installation", "webhook"),
    };

    private static readonly Dictionary<string, Dictionary<string, string>> Tables = new()
    {
        ["installations"] = new()
        {
            ["owner_id"] = "'owner-' || n % 5000",
            ["cluster"] = "'clusters/' || " + OneOfFew,
            ["application_version"] = "CASE WHEN n % 10000 = 7 THEN '9.0.0' ELSE '10.' || n % 5 END",
            ["size"] = "CASE WHEN n % 10000 = 8 THEN '1000users' ELSE '100users' END",
            ["affinity"] = "'multitenant'",
        },
        ["installation_names"] = new()
        {
            ["host"] = "'name-' || n || '.example.com'",
            ["released_at"] = "CASE WHEN n <= 30000 THEN now() END",
        },
        ["clusters"] = FewOf("n", "delete_time", "creation-requested"),
        ["reserved"] = new() { ["cluster_id"] = IdOfN },
        ["database_server_loads"] = new() { ["database_server_id"] = IdOfN },
        ["cluster_observations"] = new() { ["cluster_id"] = IdOfN, ["capacity"] = "'{\"nodes\": 0}'" },
        ["cluster_installations"] = new()
        {
            ["spec"] = "'{\"version\": \"10\", \"image\": \"i\", \"size\": \"100users\", \"dns_names\": [], "
                + "\"logical_database\": \"d\"}'",
        },
        ["reservations"] = new()
        {
            ["size"] = "'100users'",
            ["affinity"] = "'multitenant'",
        },
        ["database_servers"] = FewOf("n", "", "provisioning-requested"),
        ["webhooks"] = new(FewOf("n", "", "enabled")) { ["old_secrets"] = "'[]'" },
        ["events"] = new()
        {
            ["sequence"] = "n",
            ["source"] = "CASE WHEN n % 5000 = 0 THEN 'metrics' ELSE 'installation' END",
            ["source_sequence"] = "n",
            ["resource_type"] = "CASE WHEN n % 5000 = 0 THEN 'webhook' ELSE 'installation' END",
            ["type"] = "CASE WHEN n % 5000 = 0 THEN 'deleted' ELSE 'state-changed' END",
            ["new_state"] = "CASE WHEN n % 5000 = 0 THEN 'creation-failed' ELSE 'stable' END",
            ["actor"] = "CASE WHEN n % 5000 = 0 THEN 'ada' ELSE 'supervisor' END",
            ["request_id"] = "'request-' || n",
            ["trace_id"] = "'trace-' || n",
            ["occurred_at"] = "now() - interval '400 days' + n * interval '5 min'",
            ["taken_in_at"] = "now() - interval '400 days' + n * interval '5 min'",
        },
        ["fleet"] = new() { ["state"] = "CASE WHEN n % 2500 = 0 THEN 'creation-failed' ELSE 'stable' END" },
        ["webhook_progress"] = new() { ["webhook_id"] = IdOfN, ["sequence"] = Text(Rows) },
        ["webhook_deliveries"] = new()
        {
            ["webhook_id"] = OneOfFew,
            ["id"] = "n::text",
            ["sequence"] = "n",
            ["queued"] = "n",
            ["status"] = "CASE WHEN n % 1000 < 20 THEN 'pending' ELSE 'succeeded' END",
            ["next_attempt_at"] = "CASE WHEN n % 1000 < 20 THEN now() + n * interval '1 ms' END",
            ["finished_at"] = "CASE WHEN n % 1000 >= 20 THEN now() - n * interval '10 s' END",
            ["log"] = "'[]'",
        },
        ["outbox"] = new()
        {
            ["sequence"] = $"CASE WHEN n <= {Text(Rows - 50)} THEN n END",
            ["snapshot"] = "''",
        },
        ["request_ledger"] = new()
        {
            ["request_id"] = "'request-' || n",
            ["created_at"] = "now() - n * interval '1 s'",
        },
        ["placement_waits"] = new() { ["since"] = "now() - n * interval '1 s'" },
        ["room_requests"] = new()
        {
            ["first_refused_at"] = "now() - n * interval '1 s'",
            ["last_refused_at"] = "now() - n % 600 * interval '1 s'",
        },
    };

    /// <summary>Tables that have one row, or one per replica or source.</summary>
    private static readonly string[] Small = ["feed", "sources", "outbox_progress", "schema_versions", "fleet_counts"];

    /// <summary>Tables that grow with what is few by nature.</summary>
    private static readonly string[] FewByNature =
    [
        "clusters", "cluster_observations", "reserved", "database_servers", "database_server_loads", "webhooks",
        "webhook_progress",
    ];

    /// <summary>Whether a table stays so small that reading all of it is nothing.</summary>
    public static bool IsSmall(string table) => Small.Contains(table) || FewByNature.Contains(table);

    /// <summary>Fills every table of a service.</summary>
    public static async Task SowAsync(string host, TestDatabase database, CancellationToken ct)
    {
        // As a superuser, who can leave out the checks of references; what is seeded fits together.
        var own = new NpgsqlConnectionStringBuilder(database.ConnectionString);
        await using var source = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(database.AdminConnectionString)
            {
                Database = database.Name, SearchPath = own.SearchPath, Pooling = false, CommandTimeout = 120,
            });
        await using var connection = await source.OpenConnectionAsync(ct);
        await ExecuteAsync(
            connection, "SET session_replication_role = replica; SET maintenance_work_mem = '128MB'", ct);
        var tables = (await TextsAsync(connection, TablesSql, null, ct)).Except(Small).ToList();
        foreach (var table in tables)
        {
            await SowAsync(connection, host, table, ct);
        }

        await ExecuteAsync(connection, $"UPDATE outbox_progress SET last_sequence = {Text(Rows - 50)}", ct);
        if (host == "metrics")
        {
            await ExecuteAsync(connection, $"DELETE FROM webhook_progress WHERE webhook_id = '{Fresh}'", ct);
            await ExecuteAsync(
                connection,
                $"UPDATE feed SET last_sequence = {Text(Rows)}; "
                    + $"INSERT INTO sources VALUES ('installation', {Text(Rows)}, now(), 1)",
                ct);
        }

        await ExecuteAsync(connection, $"VACUUM (ANALYZE) {string.Join(", ", tables)}", ct);
    }

    public static string Id(int n) => "r" + n.ToString("D25", CultureInfo.InvariantCulture);

    /// <summary>Deleted nearly all.</summary>
    private static Dictionary<string, string> FewOf(string n, string deleteTime, string due)
    {
        var isDeleted = $"{n} <= {Text(Rows - FewLive)}";
        var few = new Dictionary<string, string>
        {
            ["state"] = $"CASE WHEN {isDeleted} THEN 'deleted' WHEN n % 2500 = 0 THEN '{due}' "
                + $"ELSE '{(due == "enabled" ? "enabled" : "stable")}' END",
            ["next_attempt_at"] = $"CASE WHEN NOT {isDeleted} AND n % 2500 = 0 THEN now() - interval '1 s' END",
        };
        if (deleteTime.Length > 0)
        {
            few[deleteTime] = $"CASE WHEN {isDeleted} THEN now() END";
        }

        return few;
    }

    /// <summary>Fills a table; its indexes are made anew afterwards, which is far faster than keeping them.</summary>
    private static async Task SowAsync(NpgsqlConnection connection, string host, string table, CancellationToken ct)
    {
        var indexes = await TextsAsync(connection, IndexesSql, table, ct);
        foreach (var name in indexes.Select(definition => definition.Split(' ')[^1]))
        {
            await ExecuteAsync(connection, $"DROP INDEX {name}", ct);
        }

        await ExecuteAsync(connection, await InsertOf(connection, host, table, ct), ct);
        foreach (var definition in indexes)
        {
            await ExecuteAsync(connection, definition[..definition.LastIndexOf(" -- ", StringComparison.Ordinal)], ct);
        }
    }

    private static async Task<string> InsertOf(
        NpgsqlConnection connection, string host, string table, CancellationToken ct)
    {
        var own = Tables.GetValueOrDefault(table) ?? [];
        var values = (await TextsAsync(connection, ColumnsSql, table, ct)).Select(column => column.Split(':'))
            .Select(column => (
                Name: column[0],
                Value: own.GetValueOrDefault(column[0]) ?? Columns.GetValueOrDefault(column[0])
                    ?? (column[2] == "needed" ? OfType(column[1]) : null)))
            .Where(column => column.Value is not null)
            .ToList();
        var (due, noun, quiet) = Hosts[host];
        var first = FewByNature.Contains(table) ? Rows - FewRows + 1 : 1;
        var selected = string.Join(", ", values.Select(v => v.Value))
            .Replace("{due}", due, StringComparison.Ordinal)
            .Replace("{noun}", noun, StringComparison.Ordinal)
            .Replace("{quiet}", quiet, StringComparison.Ordinal);
        return $"INSERT INTO {table} ({string.Join(", ", values.Select(v => v.Name))}) "
            + $"SELECT {selected} FROM generate_series({Text(first)}, {Text(Rows)}) AS n";
    }

    private static string OfType(string type) => type switch
    {
        "bigint" or "integer" => "1",
        "boolean" => "false",
        "jsonb" => "'{}'",
        "ARRAY" => "'{}'",
        _ when type.StartsWith("timestamp", StringComparison.Ordinal) => "now()",
        _ => "''",
    };

    private static async Task<IReadOnlyList<string>> TextsAsync(
        NpgsqlConnection connection, string sql, string? table, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        if (table is not null)
        {
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = table });
        }

        await using var rows = await command.ExecuteReaderAsync(ct);
        var texts = new List<string>();
        while (await rows.ReadAsync(ct))
        {
            texts.Add(rows.GetString(0));
        }

        return texts;
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(ct);
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
