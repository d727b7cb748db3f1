using Cloud.Protos.Cluster.V1;
using Cloud.Protos.DatabasePool.V1;
using Cloud.Protos.Installation.V1;

namespace Cloud.Benchmarks.Worlds;

/// <summary>The whole product with simulated clusters, one process per service, furnished and ready for
/// workspaces.</summary>
internal sealed class Fleet : IAsyncDisposable
{
    private static readonly TimeSpan FurnishedWithin = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan LookAgainAfter = TimeSpan.FromMilliseconds(500);

    private Fleet(LocalSimulator simulator, IReadOnlyList<LocalService> services) =>
        (Simulator, Services) = (simulator, services);

    public LocalSimulator Simulator { get; }

    /// <summary>In the order of their start.</summary>
    public IReadOnlyList<LocalService> Services { get; }

    public InstallationService.InstallationServiceClient Installations => new(Service("installation").Channel);

    /// <param name="clusters">How many simulated clusters.</param>
    /// <param name="databases">How many databases must fit.</param>
    /// <param name="directory">The simulator's; what is there already is taken up.</param>
    public static async Task<Fleet> StartAsync(
        LocalStores stores, int clusters, int databases, string directory, CancellationToken ct)
    {
        var simulator = await LocalSimulator.StartAsync(directory, clusters, ct);
        var addresses = new Dictionary<string, Uri>();
        var services = new List<LocalService>();
        foreach (var name in new[] { "metrics", "database-pool", "cluster", "installation" })
        {
            var more = new Dictionary<string, string?> { ["Dns__Domains__0"] = "localhost" };
            services.Add(await LocalService.StartAsync(name, stores, addresses, more, ct));
            addresses[name] = services[^1].Address;
        }

        var fleet = new Fleet(simulator, services);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(FurnishedWithin);
        await fleet.FurnishAsync(stores, databases, limit.Token);
        return fleet;
    }

    public LocalService Service(string name) => Services.Single(service => service.Name == name);

    public async ValueTask DisposeAsync()
    {
        foreach (var service in Services.Reverse())
        {
            await service.DisposeAsync();
        }

        await Simulator.DisposeAsync();
    }

    private async Task FurnishAsync(LocalStores stores, int databases, CancellationToken ct)
    {
        var servers = new DatabaseServerService.DatabaseServerServiceClient(Service("database-pool").Channel);
        var clusters = new ClusterService.ClusterServiceClient(Service("cluster").Channel);
        if ((await servers.ListDatabaseServersAsync(new(), cancellationToken: ct)).DatabaseServers.Count == 0)
        {
            await servers.RegisterDatabaseServerAsync(
                new()
                {
                    DatabaseServer = new()
                    {
                        DisplayName = "bench", Host = "127.0.0.1", Port = stores.Port, AllowDatabases = true,
                        AdminUser = LocalStores.Provisioner, MaxDatabases = databases,
                    },
                    AdminPassword = LocalStores.Password,
                },
                cancellationToken: ct);
            var kubeconfig = await File.ReadAllTextAsync(Simulator.KubeconfigPath, ct);
            foreach (var context in Simulator.Clusters)
            {
                await clusters.ImportClusterAsync(
                    new()
                    {
                        Cluster = new() { DisplayName = context, AllowInstallations = true },
                        Kubeconfig = kubeconfig,
                        Context = context,
                    },
                    cancellationToken: ct);
            }
        }

        while ((await clusters.ListClustersAsync(new(), cancellationToken: ct)).Clusters.Any(c => c.State != "stable")
            || (await servers.ListDatabaseServersAsync(new(), cancellationToken: ct)).DatabaseServers
                .Any(s => s.State != "stable"))
        {
            await Task.Delay(LookAgainAfter, TimeProvider.System, ct);
        }
    }
}
