using System.Diagnostics;
using System.Globalization;
using Cloud.Benchmarks.Worlds;
using Cloud.ServiceDefaults.Storage;
using Npgsql;

namespace Cloud.Benchmarks.Provisioning;

/// <summary>The floor: a program that makes the same databases and objects, with the product's own limits of work at
/// once, and remembers nothing.</summary>
internal sealed class BareProvisioning(LocalStores stores, LocalSimulator simulator, WorkspaceTemplate template)
{
    /// <summary>As the cluster service has them.</summary>
    private const int WorkspacesAtOnce = 32;

    /// <summary>As the database-pool service has them, per server.</summary>
    private const int DatabasesAtOnce = 4;

    private static readonly TimeSpan LookAgainAfter = TimeSpan.FromMilliseconds(200);

    /// <summary>From the first statement to the last deployment whose pods are ready.</summary>
    public async Task<TimeSpan> CreateAsync(int count, CancellationToken ct)
    {
        var clusters = simulator.Clusters.Select(name => new ClusterApi(simulator, name)).ToList();
        await using var source = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(stores.For(LocalStores.Provisioner)) { Database = "postgres" });
        foreach (var cluster in clusters)
        {
            await template.DefineAsync(cluster, ct);
        }

        var server = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{stores.Port}");
        var clock = Stopwatch.StartNew();
        using var databases = new SemaphoreSlim(DatabasesAtOnce);
        await Parallel.ForEachAsync(
            Enumerable.Range(0, count),
            new ParallelOptions { MaxDegreeOfParallelism = WorkspacesAtOnce, CancellationToken = ct },
            async (n, token) =>
            {
                var id = ResourceId.New();
                await databases.WaitAsync(token);
                try
                {
                    await MakeDatabaseAsync(source, id, template.Password, token);
                }
                finally
                {
                    databases.Release();
                }

                var label = "bare-" + n.ToString(CultureInfo.InvariantCulture);
                await template.ApplyAsync(clusters[n % clusters.Count], id, label, server, token);
            });
        foreach (var cluster in clusters)
        {
            await ReadyAsync(cluster, ct);
            cluster.Dispose();
        }

        return clock.Elapsed;
    }

    private static async Task MakeDatabaseAsync(
        NpgsqlDataSource source, string id, string password, CancellationToken ct)
    {
        await using var connection = await source.OpenConnectionAsync(ct);
        foreach (var sql in new[]
        {
            $"CREATE ROLE user_{id} LOGIN CONNECTION LIMIT 20 PASSWORD '{id}'",
            $"GRANT user_{id} TO CURRENT_USER",
            $"CREATE DATABASE cloud_{id} OWNER user_{id} TEMPLATE template0 ENCODING 'UTF8' STRATEGY wal_log",
            $"REVOKE ALL ON DATABASE cloud_{id} FROM PUBLIC; COMMENT ON DATABASE cloud_{id} IS 'bench'",
            $"ALTER ROLE user_{id} PASSWORD '{password}'",
        })
        {
            await using var command = new NpgsqlCommand(sql, connection);
            await command.ExecuteNonQueryAsync(ct);
        }
    }

    private static async Task ReadyAsync(ClusterApi cluster, CancellationToken ct)
    {
        while ((await cluster.GetAsync("apis/apps/v1/deployments", ct))["items"]!.AsArray().Any(d =>
            (d!["status"]?["readyReplicas"]?.GetValue<int>() ?? 0) < d["spec"]!["replicas"]!.GetValue<int>()))
        {
            await Task.Delay(LookAgainAfter, TimeProvider.System, ct);
        }
    }
}
