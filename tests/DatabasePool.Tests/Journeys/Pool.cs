using Cloud.DatabaseServers;
using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Cloud.TestHost.Journeys;
using Microsoft.Extensions.DependencyInjection;
using Xunit;
using Proto = Cloud.Protos.DatabasePool.V1;

namespace Cloud.DatabasePool.Tests.Journeys;

/// <summary>Journeys of this service under every fault.</summary>
public sealed class Journeys(JourneyStage<Pool> stage, ITestOutputHelper output)
    : JourneySuite<Pool>(stage, output);

/// <summary>Two processes of the service on one database, and a customers' server that they know.</summary>
public sealed class Pool : IJourneyWorld<Pool>
{
    private readonly TemporaryDirectory _keys = new();
    private readonly Action<IServiceCollection> _configure;
    private readonly TestDatabase _database;

    private Pool(TestDatabase database, Action<IServiceCollection> configure)
    {
        (_database, _configure) = (database, configure);
        Replicas = [Start(withRedis: true), Start(withRedis: true)];
    }

    /// <summary>Fewer than the steps that three processes do at once on one server: sleepers hold theirs.</summary>
    public static int LivesAtOnce => 10;

    public IReadOnlyList<IReplica> Replicas { get; }

    public RedisServer Redis { get; } = new();

    public static async Task<Pool> StartAsync(Action<IServiceCollection> configure, CancellationToken ct)
    {
        var database = await PostgresServer.DatabaseAsync(
            "database_pool",
            (source, token) => Migrations.RunAsync(source, typeof(DatabaseServerService).Assembly, token),
            ct);
        var pool = new Pool(database, configure);
        foreach (var replica in pool.Replicas)
        {
            _ = replica.Channel;
        }

        var servers = new Proto.DatabaseServerService.DatabaseServerServiceClient(pool.Replicas[0].Channel);
        var request = await PoolWorld.RegistrationAsync("127.0.0.1", ct, maxDatabases: 1000);
        var server = await servers.RegisterDatabaseServerAsync(request, cancellationToken: ct);
        while (server.State != "stable")
        {
            server = await servers.GetDatabaseServerAsync(new() { Name = server.Name }, cancellationToken: ct);
        }

        return pool;
    }

    public IReplica StartWithoutRedis() => Start(withRedis: false);

    public async ValueTask DisposeAsync()
    {
        foreach (var replica in Replicas)
        {
            await replica.DisposeAsync();
        }

        await _database.DisposeAsync();
        Redis.Dispose();
        _keys.Dispose();
    }

    private ServiceHost<DatabaseServerService> Start(bool withRedis) => new(
        ServiceHostOptions.For(_database, Redis).With([
            new("DataProtection:KeysPath", _keys.Path),
            new("ConnectionStrings:redis", withRedis ? Redis.ConnectionString : ""),
            new("Logging:LogLevel:Default", "None"),
        ]) with
        {
            Configure = _configure,
        });
}
