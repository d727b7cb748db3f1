using System.Text.Json.Nodes;
using Cloud.Protos.Cluster.V1;
using Cloud.Protos.DatabasePool.V1;
using Cloud.Protos.Installation.V1;
using Cloud.Protos.Metrics.V1;
using Cloud.TestHost;
using Grpc.Net.Client;
using Npgsql;
using Xunit;

namespace Cloud.System.Tests;

/// <summary>All stories share one world and are told one after the other: some of them kill its programs.</summary>
[CollectionDefinition(Name)]
public sealed class TheWorld : ICollectionFixture<RunningWorld>
{
    public const string Name = "the world";
}

/// <summary>The whole cloud, started as <c>./cloud up</c> starts it, on ports and with state of its own.</summary>
public sealed class RunningWorld : IAsyncLifetime
{
    private LocalWorld? _world;

    public HttpClient Browser { get; } = new();

    public InstallationService.InstallationServiceClient Installations => new(Channel(LocalWorld.InstallationPort));

    public ClusterService.ClusterServiceClient Clusters => new(Channel(LocalWorld.ClusterPort));

    public LogicalDatabaseService.LogicalDatabaseServiceClient LogicalDatabases =>
        new(Channel(LocalWorld.DatabasePoolPort));

    public EventService.EventServiceClient Events => new(Channel(LocalWorld.MetricsPort));

    private LocalWorld World => _world ?? throw new InvalidOperationException("The world has not come up.");

    public async ValueTask InitializeAsync() =>
        _world = await LocalWorld.StartAsync(redisKeeps: false, TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        Browser.Dispose();
        if (_world is not null)
        {
            await _world.DisposeAsync();
        }
    }

    /// <summary>Everything the world keeps.</summary>
    public string StatePath => World.StatePath;

    /// <summary>What the AppHost has printed so far.</summary>
    public string Output => World.Output;

    /// <summary>Whether the AppHost is gone, which no story can survive.</summary>
    public bool HasEnded => World.Ended.IsCompleted;

    public GrpcChannel Channel(int port) => World.Channel(port);

    /// <summary>The ids of this world's processes whose command line contains a text.</summary>
    public IReadOnlyList<int> Processes(string program) => World.Processes(program);

    /// <summary>Where each replica of a service answers over HTTP, as Prometheus is told.</summary>
    public async Task<IReadOnlyList<Uri>> ReplicasAsync(string service, CancellationToken ct)
    {
        var path = Path.Combine(StatePath, "prometheus", "targets.json");
        var targets = JsonNode.Parse(await File.ReadAllTextAsync(path, ct))!.AsArray();
        return [.. targets
            .Where(target => target!["labels"]!["service"]!.GetValue<string>() == service)
            .Select(target => new Uri($"http://{target!["targets"]![0]!.GetValue<string>()}"))];
    }

    /// <summary>What a browser gets at a workspace's address.</summary>
    public async Task<(int Status, string Page)> VisitAsync(string host, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, World.Ingress);
        request.Headers.Host = host;
        using var answer = await Browser.SendAsync(request, ct);
        return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(ct));
    }

    /// <summary>Asks the API server of one of the clusters.</summary>
    public async Task<JsonNode> KubernetesAsync(HttpMethod method, string cluster, string path, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(method, new Uri(World.Simulator, $"/clusters/{cluster}{path}"));
        using var answer = await Browser.SendAsync(request, ct);
        answer.EnsureSuccessStatusCode();
        return JsonNode.Parse(await answer.Content.ReadAsStringAsync(ct))!;
    }

    /// <summary>Names of the databases and roles on the customers' server that belong to an installation.</summary>
    public async Task<IReadOnlyList<string>> TracesInPostgresAsync(string installationId, CancellationToken ct)
    {
        await using var source = NpgsqlDataSource.Create(await World.PostgresAsync("provisioner", "postgres", ct));
        await using var command = source.CreateCommand(
            """
            SELECT datname FROM pg_database WHERE datname LIKE $1
            UNION ALL SELECT rolname FROM pg_roles WHERE rolname LIKE $1
            """);
        command.Parameters.Add(new NpgsqlParameter { Value = $"%{installationId}%" });
        await using var reader = await command.ExecuteReaderAsync(ct);
        var found = new List<string>();
        while (await reader.ReadAsync(ct))
        {
            found.Add(reader.GetString(0));
        }

        return found;
    }
}
