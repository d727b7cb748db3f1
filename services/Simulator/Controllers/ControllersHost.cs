using Cloud.Simulator.ApiServers;
using Cloud.Simulator.Applications;
using Cloud.Simulator.Ingress;

namespace Cloud.Simulator.Controllers;

/// <summary>
/// Runs the controllers of every simulated cluster, and the ingress in front of them, with the process.
/// </summary>
public sealed class ControllersHost : IHostedService, IAsyncDisposable
{
    private readonly ApplicationStore _store;
    private readonly IngressServer _ingress;
    private readonly RuntimeSettings _settings;
    private readonly Dictionary<string, ClusterControllers> _byCluster;
    private bool _disposed;

    /// <param name="random">Where the random parts of names come from.</param>
    public ControllersHost(
        SimulatedClusters clusters, RuntimeSettings settings, TimeProvider clock, Random random, ILoggerFactory loggers)
    {
        _settings = settings;
        _store = new ApplicationStore(clock);
        _ingress = new IngressServer(settings, _store, clock, loggers.CreateLogger<IngressServer>());
        var logger = loggers.CreateLogger<ClusterControllers>();
        var programs = new ContainerPrograms(clock, ProgramsOf(settings, _store, clock, logger));
        _byCluster = clusters.All.ToDictionary(c => c.Settings.Name,
            c => new ClusterControllers(c, settings, programs, clock, new Random(random.Next()), logger));
    }

    /// <summary>Where the ingress answers; after starting.</summary>
    public Uri IngressAddress => _ingress.Address;

    /// <summary>The controllers of a cluster; null when there is none of this name.</summary>
    public ClusterControllers? Find(string cluster) => _byCluster.GetValueOrDefault(cluster);

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var controllers in _byCluster.Values)
        {
            var cluster = controllers.Cluster.Settings;
            KubeconfigFile.Write(_settings.KubeconfigPath(cluster.Name), _settings.ApiUrl, [cluster]);
            controllers.Start();
        }
        await _ingress.StartAsync([.. _byCluster.Values.Select(c => c.Routes)], cancellationToken);
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _ingress.StopAsync(cancellationToken);
        await Task.WhenAll(_byCluster.Values.Select(c => c.StopAsync(cancellationToken)));
    }

    /// <summary>May come twice: the container knows this object under two registrations.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, true)) return;
        foreach (var controllers in _byCluster.Values) await controllers.DisposeAsync();
        await _ingress.DisposeAsync();
        _store.Dispose();
    }

    private static Dictionary<string, IContainerProgram> ProgramsOf(
        RuntimeSettings settings, ApplicationStore store, TimeProvider clock, ILogger logger)
    {
        var programs = new Dictionary<string, IContainerProgram>(StringComparer.Ordinal);
        foreach (var repository in MattermostApplication.Repositories)
            programs[repository] = new MattermostApplication(store, clock);
        foreach (var (repository, path) in settings.Programs)
            programs[repository] = new ChildProgram(path, settings, clock, logger);
        return programs;
    }
}
