using System.Globalization;
using Cloud.Protos.Cluster.V1;
using Npgsql;

namespace Cloud.Benchmarks.Worlds;

/// <summary>Makes many workspaces out of one per cluster that the product made: their rows are copied in the services'
/// tables and their objects in the simulator's files, with ids of their own. To be called while nothing runs.</summary>
internal static class SeededFleet
{
    private const int CounterLength = 6;

    /// <summary>Tables that hold something of each workspace.</summary>
    private static readonly (string Schema, string Table)[] Tables =
    [
        ("installation", "installations"), ("installation", "installation_names"),
        ("cluster", "cluster_installations"), ("cluster", "reservations"), ("cluster", "installation_epochs"),
        ("database_pool", "logical_databases"), ("database_pool", "installation_epochs"), ("metrics", "fleet"),
    ];

    /// <summary>What of a workspace must differ from every other, and the folder of its cluster's objects.</summary>
    public static async Task<IReadOnlyList<Original>> OriginalsAsync(Fleet fleet, CancellationToken ct)
    {
        var clusters = new ClusterService.ClusterServiceClient(fleet.Service("cluster").Channel);
        var names = (await clusters.ListClustersAsync(new(), cancellationToken: ct)).Clusters
            .ToDictionary(c => c.Name, c => c.DisplayName);
        return
        [
            .. (await fleet.Installations.ListInstallationsAsync(new(), cancellationToken: ct)).Installations.Select(
                i => new Original(
                    IdOf(i.Name), IdOf(i.ClusterInstallation), IdOf(i.LogicalDatabase), i.DnsNames[0].Split('.')[0],
                    names[i.Cluster])),
        ];
    }

    /// <summary>Copies the rows.</summary>
    public static async Task CopyRowsAsync(
        LocalStores stores, IReadOnlyList<Original> originals, int count, CancellationToken ct)
    {
        await using var source = NpgsqlDataSource.Create(stores.AdminConnectionString + ";Command Timeout=600");
        for (var n = 0; n < originals.Count; n++)
        {
            var (first, last) = (count * n / originals.Count, (count * (n + 1) / originals.Count) - 1);
            foreach (var (schema, table) in Tables)
            {
                await CopyAsync(source, $"{schema}.{table}", originals[n], first, last, ct);
            }
        }

        await using var analyze = source.CreateCommand("ANALYZE");
        await analyze.ExecuteNonQueryAsync(ct);
    }

    private static async Task CopyAsync(
        NpgsqlDataSource source, string table, Original original, int first, int last, CancellationToken ct)
    {
        var columns = await ColumnsAsync(source, table, ct);
        var replaced = original.Unique.Aggregate(
            "row::text", (text, unique) => $"replace({text}, '{unique}', '{Stem(unique)}' || counter)");
        await using var command = source.CreateCommand(
            $"""
            INSERT INTO {table} ({columns})
            SELECT {columns}
            FROM (SELECT to_jsonb(t) AS row FROM {table} AS t) AS originals,
                 (SELECT lpad(n::text, {CounterLength}, '0') AS counter FROM generate_series($1, $2) AS n) AS counters,
                 jsonb_populate_record(null::{table}, ({replaced})::jsonb)
            WHERE {string.Join(" OR ", original.Unique.Select(unique => $"row::text LIKE '%{unique}%'"))}
            ON CONFLICT DO NOTHING
            """);
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = first });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = last });
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Those that the server does not fill by itself.</summary>
    private static async Task<string> ColumnsAsync(NpgsqlDataSource source, string table, CancellationToken ct)
    {
        await using var command = source.CreateCommand(
            """
            SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
            WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped
              AND attgenerated = '' AND attidentity = ''
            """);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = table });
        return (string)(await command.ExecuteScalarAsync(ct))!;
    }

    private static string IdOf(string name) => name[(name.IndexOf('/', StringComparison.Ordinal) + 1)..];

    /// <summary>What a copy's unique text begins with; the counter follows.</summary>
    internal static string Stem(string unique) =>
        unique.Length > CounterLength ? unique[..^CounterLength] : unique;

    /// <summary>The copy's text.</summary>
    internal static string Copy(string unique, int n) =>
        Stem(unique) + n.ToString("D" + CounterLength.ToString(CultureInfo.InvariantCulture), null);
}

/// <summary>A workspace that the product made.</summary>
/// <param name="Id">Of the installation.</param>
/// <param name="Label">First label of its DNS name.</param>
/// <param name="Cluster">Name of the simulated cluster it is in.</param>
internal sealed record Original(
    string Id, string ClusterInstallationId, string LogicalDatabaseId, string Label, string Cluster)
{
    /// <summary>Text that no two workspaces share.</summary>
    public IReadOnlyList<string> Unique => [Id, ClusterInstallationId, LogicalDatabaseId, Label];
}
