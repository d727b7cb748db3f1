using Cloud.DatabaseServers;
using Cloud.LocalPostgres;
using Cloud.Protos.Supervision.V1;
using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Grpc.Core;
using Npgsql;
using Xunit;
using Proto = Cloud.Protos.DatabasePool.V1;

namespace Cloud.DatabasePool.Tests;

/// <summary>
/// The real service with a database of its own, on a real PostgreSQL server, and customers' servers that it is told
/// about. Tests of a class share it; each registers what it needs.
/// </summary>
public sealed class PoolWorld : IAsyncLifetime
{
    /// <summary>How long anything awaited may take before the test fails; never a measure of speed.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly TemporaryDirectory _keys = new();
    private readonly RedisServer _redis = new();
    private TestDatabase? _database;
    private ServiceHost<DatabaseServerService>? _service;

    /// <summary>Replaces the service's clock; set before the first use.</summary>
    public TimeProvider? Clock { get; init; }

    public Proto.DatabaseServerService.DatabaseServerServiceClient Servers => new(Service.Channel);

    public Proto.LogicalDatabaseService.LogicalDatabaseServiceClient Databases => new(Service.Channel);

    public ServiceHost<DatabaseServerService> Service => _service!;

    /// <summary>The service's own tables.</summary>
    public string OwnConnectionString => _database!.ConnectionString;

    public async ValueTask InitializeAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        _database = await PostgresServer.DatabaseAsync(
            "database_pool",
            (source, ct) => Migrations.RunAsync(source, typeof(DatabaseServerService).Assembly, ct),
            patience.Token);
        _service = Start(Clock);
        _ = _service.Services;
    }

    public async ValueTask DisposeAsync()
    {
        await Service.DisposeAsync();
        await _database!.DisposeAsync();
        _redis.Dispose();
        _keys.Dispose();
    }

    /// <summary>Another process of the service, on the same tables and keys.</summary>
    public ServiceHost<DatabaseServerService> Start(TimeProvider? clock = null) =>
        new(ServiceHostOptions.For(_database!, _redis).With(
            [new("DataProtection:KeysPath", _keys.Path)]) with
            {
                Clock = clock,
            });

    /// <summary>A registration of the shared server under one of its host names.</summary>
    public static async Task<Proto.RegisterDatabaseServerRequest> RegistrationAsync(
        string host, CancellationToken ct, int maxDatabases = 0, int weight = 0)
    {
        var address = new NpgsqlConnectionStringBuilder(await PostgresServer.ProvisionerConnectionStringAsync(ct));
        return new Proto.RegisterDatabaseServerRequest
        {
            DatabaseServer = new Proto.DatabaseServer
            {
                DisplayName = $"server-{ResourceId.New()}",
                Host = host,
                Port = address.Port,
                AdminUser = address.Username,
                MaxDatabases = maxDatabases,
                Weight = weight,
            },
            AdminPassword = address.Password,
        };
    }

    /// <summary>Registers the shared server and waits until it is stable.</summary>
    public async Task<Proto.DatabaseServer> StableServerAsync(
        CancellationToken ct, string host = "127.0.0.1", int maxDatabases = 0, int weight = 0)
    {
        var server = await Servers.RegisterDatabaseServerAsync(
            await RegistrationAsync(host, ct, maxDatabases, weight), cancellationToken: ct);
        return await ServerUntilAsync(server.Name, s => s.State == "stable", ct);
    }

    /// <summary>Registers a server of the test's own and waits until it is stable.</summary>
    public async Task<Proto.DatabaseServer> RegisterAsync(PostgresProcess own, CancellationToken ct)
    {
        var address = new NpgsqlConnectionStringBuilder(own.ConnectionString);
        var server = await Servers.RegisterDatabaseServerAsync(
            new()
            {
                DatabaseServer = new()
                {
                    DisplayName = $"own-{address.Port}", Host = "127.0.0.1", Port = address.Port,
                    AdminUser = address.Username,
                },
                AdminPassword = address.Password,
            },
            cancellationToken: ct);
        return await ServerUntilAsync(server.Name, s => s.State == "stable", ct);
    }

    /// <summary>Asks for an installation's database.</summary>
    public Task<Proto.LogicalDatabase> CreateAsync(string installationId, CancellationToken ct, long epoch = 1) =>
        Databases.CreateLogicalDatabaseAsync(
            new Proto.CreateLogicalDatabaseRequest
            {
                LogicalDatabase = new Proto.LogicalDatabase { Installation = $"installations/{installationId}" },
                InstallationEpoch = epoch,
            },
            cancellationToken: ct).ResponseAsync;

    /// <summary>Asks for an installation's database and waits until it is there.</summary>
    public async Task<Proto.LogicalDatabase> StableDatabaseAsync(string installationId, CancellationToken ct)
    {
        var row = await CreateAsync(installationId, ct);
        return await DatabaseUntilAsync(row.Name, d => d.State == "stable", ct);
    }

    /// <summary>Deletes a database and waits until it is gone.</summary>
    public async Task<Proto.LogicalDatabase> DropAsync(string name, CancellationToken ct, long epoch = 1)
    {
        await Databases.DeleteLogicalDatabaseAsync(
            new Proto.DeleteLogicalDatabaseRequest { Name = name, InstallationEpoch = epoch }, cancellationToken: ct);
        return await DatabaseUntilAsync(name, d => d.State == "deleted", ct);
    }

    /// <summary>Watches a server until it is as wanted.</summary>
    public async Task<Proto.DatabaseServer> ServerUntilAsync(
        string name, Func<Proto.DatabaseServer, bool> isWanted, CancellationToken ct)
    {
        using var call = Servers.WatchDatabaseServers(
            new Proto.WatchDatabaseServersRequest(), deadline: Deadline(), cancellationToken: ct);
        await foreach (var message in call.ResponseStream.ReadAllAsync(ct))
        {
            // A server that is deleted is not part of the snapshot.
            var server = message.Kind == WatchKind.SnapshotEnd
                ? await Servers.GetDatabaseServerAsync(new() { Name = name }, cancellationToken: ct)
                : message.DatabaseServer;
            if (server?.Name == name && isWanted(server))
            {
                return server;
            }
        }

        throw new InvalidOperationException("The stream ended.");
    }

    /// <summary>Watches a logical database until it is as wanted.</summary>
    public async Task<Proto.LogicalDatabase> DatabaseUntilAsync(
        string name, Func<Proto.LogicalDatabase, bool> isWanted, CancellationToken ct)
    {
        using var call = Databases.WatchLogicalDatabases(
            new Proto.WatchLogicalDatabasesRequest(), deadline: Deadline(), cancellationToken: ct);
        await foreach (var message in call.ResponseStream.ReadAllAsync(ct))
        {
            var row = message.Kind == WatchKind.SnapshotEnd
                ? await Databases.GetLogicalDatabaseAsync(new() { Name = name }, cancellationToken: ct)
                : message.LogicalDatabase;
            if (row?.Name == name && isWanted(row))
            {
                return row;
            }
        }

        throw new InvalidOperationException("The stream ended.");
    }

    private static DateTime Deadline() => TimeProvider.System.GetUtcNow().Add(Patience).UtcDateTime;
}
