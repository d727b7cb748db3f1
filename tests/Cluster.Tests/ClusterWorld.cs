using System.Text.Json.Nodes;
using Cloud.Clusters;
using Cloud.Protos.Supervision.V1;
using Cloud.ServiceDefaults.Storage;
using Cloud.Simulator.ApiServers;
using Cloud.Simulator.Controllers;
using Cloud.TestHost;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;
using Xunit;
using Proto = Cloud.Protos.Cluster.V1;

namespace Cloud.ClusterTests;

/// <summary>
/// The real service with a database of its own, simulated clusters over HTTP, and something in them that reports as the
/// operator does. Tests of a class share it and the clusters that one of them has imported.
/// </summary>
public sealed class ClusterWorld : IAsyncLifetime
{
    /// <summary>How long anything awaited may take before the test fails; never a measure of speed.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public const string Resources = "mattermosts.installation.mattermost.com";

    private readonly TemporaryDirectory _files = new();
    private readonly RedisServer _redis = new();
    private readonly Dictionary<string, OperatorDouble> _operators = [];
    private TestDatabase? _database;
    private CredentialsDesk? _desk;
    private WebApplication? _simulator;
    private ServiceHost<ClusterService>? _service;

    /// <summary>A cluster with room for a few hundred workspaces, and one that is full with a few.</summary>
    public IReadOnlyList<ClusterSettings> Simulated { get; init; } =
    [
        new() { Name = "large", Nodes = 8, Pods = 500, PodStartDelay = TimeSpan.FromMilliseconds(20) },
        new() { Name = "small", Nodes = 1, Pods = 20, Cpu = "2", PodStartDelay = TimeSpan.FromMilliseconds(20) },
    ];

    /// <summary>Last word on the container of the service; set before the first use.</summary>
    public Action<IServiceCollection>? Configure { get; init; }

    public RedisServer Redis => _redis;

    public Proto.ClusterService.ClusterServiceClient Clusters => new(Service.Channel);

    public Proto.PlacementService.PlacementServiceClient Placements => new(Service.Channel);

    public Proto.ClusterInstallationService.ClusterInstallationServiceClient Installations => new(Service.Channel);

    public ServiceHost<ClusterService> Service => _service!;

    public CredentialsDesk Desk => _desk!;

    public async ValueTask InitializeAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        _database = await PostgresServer.DatabaseAsync(
            "cluster", (source, ct) => Migrations.RunAsync(source, typeof(ClusterService).Assembly, ct),
                patience.Token);
        _desk = await CredentialsDesk.OpenAsync(patience.Token);
        _simulator = await StartSimulatorAsync(patience.Token);
        foreach (var settings in Simulated) _operators[settings.Name] = new OperatorDouble(Cluster(settings.Name).Api);
        _service = Start();
        _ = _service.Services;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        foreach (var reporter in _operators.Values) await reporter.DisposeAsync();
        await _simulator!.DisposeAsync();
        await _desk!.DisposeAsync();
        await _database!.DisposeAsync();
        _redis.Dispose();
        _files.Dispose();
    }

    /// <summary>A world of its own for one test.</summary>
    public static async Task<ClusterWorld> OfAsync(params ClusterSettings[] simulated)
    {
        var world = new ClusterWorld { Simulated = simulated };
        await world.InitializeAsync();
        return world;
    }

    /// <summary>Another process of the service, on the same tables and keys.</summary>
    /// <param name="withRedis">Whether it has Redis.</param>
    /// <param name="connectionsMax">Connections that it may have to PostgreSQL.</param>
    public ServiceHost<ClusterService> Start(bool withRedis = true, int? connectionsMax = null) =>
        new(ServiceHostOptions.For(_database!, _redis).With(
            [new("DataProtection:KeysPath", Path.Combine(_files.Path, "keys")), Desk.Setting,
                new("ConnectionStrings:redis", withRedis ? _redis.ConnectionString : ""),
                new("ConnectionStrings:cloud-db", connectionsMax is { } max
                    ? new NpgsqlConnectionStringBuilder(_database!.ConnectionString) { MaxPoolSize = max, Timeout = 5 }
                        .ConnectionString
                    : _database!.ConnectionString),
                new("Logging:LogLevel:Default", "Warning"), new("Logging:LogLevel:Grpc", "None")]) with
            {
                Configure = Configure,
            });

    /// <summary>Ends the running process and goes on with a new one. What it knew of leases is forgotten, as it would
    /// be
    /// after their time.</summary>
    public async Task RestartAsync()
    {
        _redis.Stop();
        _redis.Start();
        await StopAsync();
        _service = Start();
        _ = _service.Services;
    }

    /// <summary>Ends the running process.</summary>
    public async Task StopAsync()
    {
        if (Interlocked.Exchange(ref _service, null) is { } running) await running.DisposeAsync();
    }

    /// <summary>A simulated cluster, to look into and to disturb.</summary>
    public SimulatedCluster Cluster(string name) =>
        _simulator!.Services.GetRequiredService<SimulatedClusters>().All.Single(c => c.Settings.Name == name);

    /// <summary>The machines of a simulated cluster, to be told what goes wrong on them.</summary>
    public RuntimeControls Machines(string name) =>
        _simulator!.Services.GetRequiredService<ControllersHost>().Find(name)!.Controls;

    /// <summary>What stands in for the operator in a simulated cluster.</summary>
    public OperatorDouble Operator(string name) => _operators[name];

    /// <summary>A kubeconfig of a simulated cluster.</summary>
    public string Kubeconfig(string name, string? token = null, string? server = null)
    {
        var address = _simulator!.Services.GetRequiredService<IServer>().Features
            .Get<IServerAddressesFeature>()!.Addresses.Single();
        return new JsonObject
        {
            ["current-context"] = name,
            ["clusters"] = Named(
                name, "cluster", new JsonObject { ["server"] = server ?? $"{address}/clusters/{name}" }),
            ["users"] = Named(
                name, "user", new JsonObject { ["token"] = token ?? Cluster(name).Settings.EffectiveToken }),
            ["contexts"] = Named(name, "context", new JsonObject { ["cluster"] = name, ["user"] = name }),
        }.ToJsonString();
    }

    /// <summary>Imports a simulated cluster under a name of its own.</summary>
    public async Task<Proto.Cluster> ImportAsync(
        string name, CancellationToken ct, string? token = null, string? server = null) =>
        await Clusters.ImportClusterAsync(
            new Proto.ImportClusterRequest
            {
                Cluster = new Proto.Cluster { DisplayName = $"{name} {ResourceId.New()}" },
                Kubeconfig = Kubeconfig(name, token, server),
            },
            cancellationToken: ct);

    /// <summary>A simulated cluster that installations can be placed in: imported, unless a test did that
    /// before.</summary>
    public async Task<Proto.Cluster> StableClusterAsync(string name, CancellationToken ct)
    {
        var live = await Clusters.ListClustersAsync(new(), cancellationToken: ct);
        var imported = live.Clusters.SingleOrDefault(
            c => c.DisplayName.StartsWith($"{name} ", StringComparison.Ordinal)) ?? await ImportAsync(name, ct);
        await ClusterUntilAsync(imported.Name, c => c.State == "stable", ct);
        // With the operator's pod, so that what is free is what will be free.
        return await ClusterSeenAsync(imported.Name, ct, c => c.Reachable && c.Capacity.PodsRequested > 0);
    }

    /// <summary>Lets every cluster go, so that it can be imported again.</summary>
    public async Task LetClustersGoAsync(CancellationToken ct)
    {
        foreach (var cluster in (await Clusters.ListClustersAsync(new(), cancellationToken: ct)).Clusters)
        {
            await Clusters.DeleteClusterAsync(new() { Name = cluster.Name }, cancellationToken: ct);
            await ClusterUntilAsync(cluster.Name, c => c.State == "deleted", ct);
        }
    }

    /// <summary>Asks for a cluster installation.</summary>
    public async Task<Proto.ClusterInstallation> CreateAsync(
        string cluster, CancellationToken ct, string? installation = null, string size = "100users", long epoch = 1)
    {
        installation ??= ResourceId.New();
        return await Installations.CreateClusterInstallationAsync(
            new Proto.CreateClusterInstallationRequest
            {
                ClusterInstallation = new Proto.ClusterInstallation
                {
                    Installation = $"installations/{installation}", Cluster = cluster, Spec = Spec(installation, size),
                },
                InstallationEpoch = epoch,
            },
            cancellationToken: ct);
    }

    /// <summary>Asks for a cluster installation and waits until it is stable.</summary>
    public async Task<Proto.ClusterInstallation> StableAsync(
        string cluster, CancellationToken ct, string? installation = null, string size = "100users")
    {
        var row = await CreateAsync(cluster, ct, installation, size);
        return await UntilAsync(row.Name, i => i.State == "stable", ct);
    }

    /// <summary>A sound spec.</summary>
    public static Proto.ClusterInstallationSpec Spec(string installation, string size = "100users") => new()
    {
        Version = "10.1.0",
        Image = "mattermost/mattermost-enterprise-edition",
        Size = size,
        DnsNames = { $"{installation}.localhost" },
        LogicalDatabase = $"logicalDatabases/{installation}",
    };

    /// <summary>Asks for room.</summary>
    public AsyncUnaryCall<Proto.Placement> PlaceAsync(
        CancellationToken ct, string? installation = null, string size = "100users", string affinity = "",
        long epoch = 1) =>
        Placements.PlaceInstallationAsync(
            new Proto.PlaceInstallationRequest
            {
                Installation = $"installations/{installation ?? ResourceId.New()}", Size = size, Affinity = affinity,
                InstallationEpoch = epoch,
            },
            cancellationToken: ct);

    /// <summary>Watches a cluster until it is as wanted.</summary>
    public async Task<Proto.Cluster> ClusterUntilAsync(
        string name, Func<Proto.Cluster, bool> isWanted, CancellationToken ct)
    {
        using var call = Clusters.WatchClusters(new(), deadline: Deadline(), cancellationToken: ct);
        await foreach (var message in call.ResponseStream.ReadAllAsync(ct))
        {
            var cluster = message.Kind == WatchKind.SnapshotEnd
                ? await Clusters.GetClusterAsync(new() { Name = name }, cancellationToken: ct)
                : message.Cluster;
            if (cluster?.Name == name && isWanted(cluster)) return cluster;
        }
        throw new InvalidOperationException("The stream ended.");
    }

    /// <summary>Waits until a cluster's capacity is known, which no event tells.</summary>
    public async Task<Proto.Cluster> ClusterSeenAsync(
        string name, CancellationToken ct, Func<Proto.Cluster, bool>? isWanted = null)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (true)
        {
            var cluster = await Clusters.GetClusterAsync(new() { Name = name }, cancellationToken: ct);
            if (isWanted?.Invoke(cluster) ?? (cluster.Reachable && cluster.Capacity.Nodes > 0)) return cluster;
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, patience.Token);
        }
    }

    /// <summary>Watches a cluster installation until it is as wanted.</summary>
    public async Task<Proto.ClusterInstallation> UntilAsync(
        string name, Func<Proto.ClusterInstallation, bool> isWanted, CancellationToken ct)
    {
        using var call = Installations.WatchClusterInstallations(new(), deadline: Deadline(), cancellationToken: ct);
        await foreach (var message in call.ResponseStream.ReadAllAsync(ct))
        {
            var row = message.Kind == WatchKind.SnapshotEnd
                ? await Installations.GetClusterInstallationAsync(new() { Name = name }, cancellationToken: ct)
                : message.ClusterInstallation;
            if (row?.Name == name && isWanted(row)) return row;
        }
        throw new InvalidOperationException("The stream ended.");
    }

    private async Task<WebApplication> StartSimulatorAsync(CancellationToken ct)
    {
        // Not the directory of this program: the settings of the service under test lie there.
        var builder = WebApplication.CreateSlimBuilder(
            new WebApplicationOptions { ContentRootPath = Path.GetTempPath() });
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MinResponseDataRate = null);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddApiServers(new ApiServerSettings
        {
            ApiUrl = new Uri("http://127.0.0.1:0"), KubeconfigPath = "", StatePath = "", Clusters = Simulated,
        });
        builder.Services.AddClusterControllers(new RuntimeSettings
        {
            StatePath = Path.Combine(_files.Path, "simulator"), IngressUrl = new Uri("http://127.0.0.1:0"),
        });
        var app = builder.Build();
        app.MapApiServers();
        await app.StartAsync(ct);
        return app;
    }

    private static JsonArray Named(string name, string part, JsonObject content) =>
        [new JsonObject { ["name"] = name, [part] = content }];

    private static DateTime Deadline() => TimeProvider.System.GetUtcNow().Add(Patience).UtcDateTime;
}
