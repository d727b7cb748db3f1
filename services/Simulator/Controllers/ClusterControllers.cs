using Cloud.Simulator.ApiServers;
using Cloud.Simulator.Applications;
using Cloud.Simulator.Ingress;

namespace Cloud.Simulator.Controllers;

/// <summary>
/// Everything that makes one simulated cluster live: scheduler, nodes, and the controllers of the built-in kinds.
/// Started and stopped once.
/// </summary>
public sealed class ClusterControllers : IAsyncDisposable
{
    /// <summary>Field manager of everything that the controllers write.</summary>
    private const string Manager = "kube-controller-manager";

    private readonly CancellationTokenSource _stop = new();
    private int _disposed;
    private readonly ControllerLoop _loop;
    private readonly ClusterObjects _objects;
    private readonly ObjectFeed _feed;
    private readonly PodRuntime _runtime;
    private readonly NodeController _nodes;
    private readonly VolumeController _volumes;
    private readonly IngressRoutes _routes;
    private Task _running = Task.CompletedTask;

    internal ClusterControllers(SimulatedCluster cluster, RuntimeSettings settings, ContainerPrograms programs,
        TimeProvider clock, Random random, ILogger logger)
    {
        Controls = new RuntimeControls(cluster.Settings);
        Cluster = cluster;
        _loop = new ControllerLoop(clock, logger);
        _objects = new ClusterObjects(cluster.Api, Manager);
        var names = new RandomNames(random);
        var events = new EventRecorder(_loop, _objects, names, logger);
        var scope = new ControllerScope(cluster.Settings, _loop, _objects, events, names, logger);
        _feed = new ObjectFeed(cluster.Api, _loop, _objects);
        _runtime = new PodRuntime(scope, settings, Controls, programs);
        _nodes = new NodeController(scope);
        _volumes = new VolumeController(scope);
        _routes = new IngressRoutes(scope, _runtime);
        var collector = new GarbageCollector(scope);
        var customKinds = new CustomKinds(scope, _feed, collector);
        IReadOnlyList<IController> controllers =
        [
            customKinds, new Scheduler(scope), _runtime, events, _nodes, _volumes, collector,
            new ReplicaSetController(scope), new DeploymentController(scope), new JobController(scope),
            new NamespaceController(scope), new EndpointsController(scope),
            new ServiceController(scope), new DisruptionController(scope), _routes,
        ];
        _objects.Changed += change =>
        {
            foreach (var controller in controllers) controller.Observe(change);
        };
    }

    public SimulatedCluster Cluster { get; }

    /// <summary>What can be changed while it runs.</summary>
    public RuntimeControls Controls { get; }

    internal IngressRoutes Routes => _routes;

    /// <summary>Takes in the cluster as it is, and begins to work on it.</summary>
    public void Start()
    {
        _loop.Post(() =>
        {
            foreach (var kind in Resources.BuiltIn) _objects.Add(kind);
            foreach (var kind in Resources.BuiltIn) _feed.Follow(kind);
            _nodes.Start();
            _volumes.Start();
        });
        _running = Task.Run(() => _loop.RunAsync(_stop.Token));
    }

    /// <summary>Completes when there is nothing to do until the clock moves; tells when a timer is next due.</summary>
    public Task<DateTimeOffset?> IdleAsync(CancellationToken ct) => _loop.IdleAsync(ct);

    /// <summary>Ends the programs of all pods, then the loop; the pods themselves stay as they are.</summary>
    public async Task StopAsync(CancellationToken ct)
    {
        await _stop.CancelAsync();
        await _running.WaitAsync(ct);
        await _runtime.StopAllAsync(ct);
    }

    /// <summary>May be called again: a container disposes a service once per way it is registered.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 1) return;
        await _stop.CancelAsync();
        await _running;
        _feed.Dispose();
        await _loop.DisposeAsync();
        _stop.Dispose();
    }
}
