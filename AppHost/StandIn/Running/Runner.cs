using System.Net.Sockets;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Running;

/// <summary>
/// Starts every resource once what it waits for is there, keeps them running, and stops them in the opposite order:
/// a resource ends only after all that waited for it have ended, so stores outlive the services that write to them.
/// </summary>
internal sealed class Runner(
    IResourceCollection resources,
    ResourceNotificationService notifications,
    HealthCheckService checks,
    IConfiguration configuration,
    IHostApplicationLifetime lifetime,
    ILoggerFactory loggers) : IHostedService, IAsyncDisposable
{
    private readonly ILogger _log = loggers.CreateLogger("Aspire.Hosting");
    private readonly Ports _ports = new();
    private readonly List<ReplicaProxy> _proxies = [];
    private readonly Dictionary<IResource, RunningResource> _running = [];
    private int _givenUp;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        var randomize = configuration.GetValue("DcpPublisher:RandomizePorts", false);
        var programs = resources.Where(r => r is ProjectResource or ExecutableResource).ToList();
        foreach (var resource in programs)
        {
            _ports.Allocate(resource, ReplicasOf(resource), randomize);
        }

        var context = new ReplicaContext(notifications, checks, _log, LogDirectory(), GiveUp);
        foreach (var resource in programs)
        {
            _running[resource] = new RunningResource(
                [.. Enumerable.Range(0, ReplicasOf(resource)).Select(index => MakeReplica(resource, index, context))]);
        }

        foreach (var (resource, endpoint, port) in _ports.Proxied)
        {
            var replicas = _running[resource].Replicas;
            _proxies.Add(Listen(resource, port, () => TargetsOf(replicas, endpoint.Name)));
        }

        foreach (var (resource, running) in _running)
        {
            running.Start(token => DependenciesAsync(resource, token));
        }

        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_running.Count > 0)
        {
            _log.LogInformation("stopping");
        }

        var stops = new Dictionary<IResource, Task>();
        await Task.WhenAll(_running.Keys.ToList().Select(resource => StopAfterDependents(resource, stops)));
        foreach (var proxy in _proxies)
        {
            await proxy.DisposeAsync();
        }

        _proxies.Clear();
        if (_running.Count > 0)
        {
            _log.LogInformation("stopped");
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var running in _running.Values)
        {
            await running.DisposeAsync();
        }
    }

    private Replica MakeReplica(IResource resource, int index, ReplicaContext context)
    {
        var id = ReplicasOf(resource) == 1 ? resource.Name : $"{resource.Name}-{index + 1}";
        return new Replica(
            resource,
            id,
            endpoint => _ports.TargetOf(resource, index, endpoint),
            () => _ports.ChooseAgain(resource, index),
            context);
    }

    private static ReplicaProxy Listen(IResource resource, int port, Func<IReadOnlyList<int>> targets)
    {
        try
        {
            return new ReplicaProxy(port, targets);
        }
        catch (SocketException e)
        {
            throw new DistributedApplicationException($"Port {port} of {resource.Name} cannot be used: {e.Message}.");
        }
    }

    // Before any replica is well there is still no better answer than to try them all.
    private static List<int> TargetsOf(IReadOnlyList<Replica> replicas, string endpoint)
    {
        var well = replicas.Where(replica => replica.IsHealthy).ToList();
        return [.. (well.Count > 0 ? well : replicas).Select(replica => replica.TargetPort(endpoint))];
    }

    private async Task DependenciesAsync(IResource resource, CancellationToken cancellationToken)
    {
        foreach (var wait in resource.Annotations.OfType<WaitAnnotation>()
            .Where(wait => _running.ContainsKey(wait.Resource)))
        {
            await DependencyAsync(resource, wait, cancellationToken);
        }
    }

    private async Task DependencyAsync(IResource resource, WaitAnnotation wait, CancellationToken cancellationToken)
    {
        var name = wait.Resource.Name;
        switch (wait.WaitType)
        {
            case WaitType.WaitUntilHealthy:
                await notifications.WaitForResourceHealthyAsync(name, cancellationToken);
                break;
            case WaitType.WaitUntilStarted:
                await notifications.WaitForResourceAsync(name, KnownResourceStates.Running, cancellationToken);
                break;
            case WaitType.WaitForCompletion:
                var end = await notifications.WaitForResourceAsync(
                    name, e => KnownResourceStates.TerminalStates.Contains(e.Snapshot.State?.Text), cancellationToken);
                if (end.Snapshot.ExitCode != wait.ExitCode)
                {
                    throw new DistributedApplicationException(
                        $"{resource.Name} needs {name} to end with code {wait.ExitCode}, but it ended with "
                        + $"{end.Snapshot.ExitCode}.");
                }

                break;
        }
    }

    private Task StopAfterDependents(IResource resource, Dictionary<IResource, Task> stops)
    {
        if (!stops.TryGetValue(resource, out var stop))
        {
            var dependents = _running.Keys.Where(other =>
                other.Annotations.OfType<WaitAnnotation>().Any(wait => wait.Resource == resource));
            var before = Task.WhenAll(dependents.ToList().Select(other => StopAfterDependents(other, stops)));
            stop = StopAsync(resource, before);
            stops[resource] = stop;
        }

        return stop;
    }

    private async Task StopAsync(IResource resource, Task before)
    {
        await before;
        await _running[resource].StopAsync();
    }

    private void GiveUp(string why)
    {
        if (Interlocked.Exchange(ref _givenUp, 1) == 0)
        {
            _log.LogError("{Why}", why);
            Environment.ExitCode = 1;
            lifetime.StopApplication();
        }
    }

    private static int ReplicasOf(IResource resource) =>
        resource.Annotations.OfType<ReplicaAnnotation>().LastOrDefault()?.Replicas ?? 1;

    private string LogDirectory() =>
        configuration["StandIn:LogDirectory"] ?? Path.Combine(Path.GetTempPath(), $"apphost-{Environment.ProcessId}");

    private sealed class RunningResource(IReadOnlyList<Replica> replicas) : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stopping = new();
        private Task _loops = Task.CompletedTask;

        public IReadOnlyList<Replica> Replicas => replicas;

        public void Start(Func<CancellationToken, Task> dependencies)
        {
            var ready = dependencies(_stopping.Token);
            _loops = Task.WhenAll(replicas.Select(replica => replica.RunAsync(ready, _stopping.Token)));
        }

        public async Task StopAsync()
        {
            await _stopping.CancelAsync();
            await _loops;
        }

        public async ValueTask DisposeAsync()
        {
            await StopAsync();
            _stopping.Dispose();
        }
    }
}
