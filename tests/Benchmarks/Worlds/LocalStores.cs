using System.Globalization;
using Cloud.LocalPostgres;
using Cloud.Processes;
using Npgsql;

namespace Cloud.Benchmarks.Worlds;

/// <summary>PostgreSQL and Redis of one benchmark, durable as the product's own, in a directory that goes with
/// them.</summary>
internal sealed class LocalStores : IAsyncDisposable
{
    public const string Provisioner = "provisioner";
    public const string Password = "only-for-benchmarks";
    private const string Database = "cloud";
    private static readonly string[] Roles = ["installation", "cluster", "database_pool", "metrics", "bench"];

    private readonly LocalPostgres.PostgresProcess _postgres;
    private readonly GuardedProcess _redis;

    private LocalStores(
        string directory, int port, LocalPostgres.PostgresProcess postgres, int redisPort, GuardedProcess redis)
    {
        (Directory, Port, _postgres, _redis) = (directory, port, postgres, redis);
        RedisConnectionString = string.Create(
            CultureInfo.InvariantCulture, $"127.0.0.1:{redisPort},abortConnect=false,allowAdmin=true");
    }

    /// <summary>For whatever else a benchmark keeps.</summary>
    public string Directory { get; }

    /// <summary>PostgreSQL's port on 127.0.0.1.</summary>
    public int Port { get; }

    public string RedisConnectionString { get; }

    /// <summary>The process of PostgreSQL.</summary>
    public int PostgresProcess => _postgres.Id;

    /// <summary>The process of the Redis protocol.</summary>
    public int RedisProcess => _redis.Id;

    /// <summary>A superuser's, to the services' database.</summary>
    public string AdminConnectionString =>
        new NpgsqlConnectionStringBuilder(_postgres.ConnectionString) { Database = Database }.ConnectionString;

    public static async Task<LocalStores> StartAsync(CancellationToken ct)
    {
        var directory = System.IO.Directory.CreateTempSubdirectory("cloud-bench-").FullName;
        var port = FreePort();
        var postgres = await LocalPostgres.PostgresProcess.StartAsync(
            new PostgresOptions
            {
                Directory = Path.Combine(directory, "postgres"),
                Port = port,
                Password = Password,
                RemoveWhenOrphaned = true,
                Settings = ["shared_preload_libraries=pg_stat_statements"],
            },
            ct);
        await Preparation.RunAsync(
            postgres.ConnectionString,
            new PreparationOptions(Database, Roles.ToDictionary(role => role, _ => Password), Provisioner, Password)
            {
                CloseMaintenanceDatabases = true,
            },
            ct);
        var redisPort = FreePort();
        var redis = Programs.Start("LocalRedis", directory, new Dictionary<string, string?>
        {
            ["Redis__Port"] = redisPort.ToString(CultureInfo.InvariantCulture),
            ["Redis__MetricsSeconds"] = "1",
        });
        var stores = new LocalStores(directory, port, postgres, redisPort, redis);
        await using var admin = NpgsqlDataSource.Create(stores.AdminConnectionString);
        await using var command = admin.CreateCommand("CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
        await command.ExecuteNonQueryAsync(ct);
        return stores;
    }

    /// <summary>The connection string of a role whose schema is its own.</summary>
    public string For(string role) => new NpgsqlConnectionStringBuilder(_postgres.ConnectionString)
    {
        Database = Database, Username = role, Password = Password,
    }.ConnectionString;

    /// <summary>A port nobody listens on now.</summary>
    public static int FreePort() => LocalPostgres.PostgresProcess.FreePort();

    public async ValueTask DisposeAsync()
    {
        await _redis.StopAsync();
        await _redis.DisposeAsync();
        await _postgres.DisposeAsync();
        System.IO.Directory.Delete(Directory, recursive: true);
    }
}
