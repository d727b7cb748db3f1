using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Running;

/// <summary>
/// Decides, before anything starts, where every endpoint is: the port others use, and the port each replica is told.
/// One replica listens on the public port itself, so nothing stands between it and its callers. Where only a proxy
/// knows a replica's port, it was chosen at random and is chosen again for each start: another world on this machine
/// may have taken it since.
/// </summary>
internal sealed class Ports
{
    // Outside the range Linux hands to outgoing connections, so that a port found free stays free.
    private const int FirstFree = 20_000;
    private const int FirstTaken = 32_000;

    private readonly HashSet<int> _given = [];
    private readonly ConcurrentDictionary<(IResource Resource, int Replica, string Endpoint), Target> _targets = [];

    public List<ProxiedEndpoint> Proxied { get; } = [];

    public int TargetOf(IResource resource, int replica, string endpoint) =>
        _targets[(resource, replica, endpoint)].Port;

    /// <param name="resource">Whose endpoints.</param>
    /// <param name="replicas">How many copies will listen.</param>
    /// <param name="randomize">Ignore wished ports, where a proxy or nobody can tell.</param>
    public void Allocate(IResource resource, int replicas, bool randomize)
    {
        foreach (var endpoint in resource.Annotations.OfType<EndpointAnnotation>())
        {
            var wished = randomize && endpoint.IsProxied ? null : endpoint.Port;
            var port = wished ?? (endpoint.IsProxied ? null : endpoint.TargetPort) ?? Free();
            endpoint.AllocatedEndpoint = new AllocatedEndpoint(endpoint.UriScheme, "127.0.0.1", port);
            var direct = replicas == 1 && (endpoint.TargetPort ?? port) == port;
            for (var replica = 0; replica < replicas; replica++)
            {
                var wishedTarget = direct ? port : replicas == 1 ? endpoint.TargetPort : null;
                _targets[(resource, replica, endpoint.Name)] = new(wishedTarget ?? Free(), wishedTarget is null);
            }

            if (!direct)
            {
                Proxied.Add(new ProxiedEndpoint(resource, endpoint, port));
            }
        }
    }

    /// <summary>Chooses a replica's random ports again.</summary>
    public void ChooseAgain(IResource resource, int replica)
    {
        foreach (var (key, target) in _targets)
        {
            if (target.IsRandom && key.Resource == resource && key.Replica == replica)
            {
                _targets[key] = target with { Port = Free() };
                GiveBack(target.Port);
            }
        }
    }

    private int Free()
    {
        while (true)
        {
            var port = Random.Shared.Next(FirstFree, FirstTaken);
            lock (_given)
            {
                if (!_given.Add(port))
                {
                    continue;
                }
            }

            using var listener = new TcpListener(IPAddress.Loopback, port);
            try
            {
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Somebody has it; another.
            }
        }
    }

    private void GiveBack(int port)
    {
        lock (_given)
        {
            _given.Remove(port);
        }
    }

    /// <summary>The port a replica is told, and whether any other would do.</summary>
    private sealed record Target(int Port, bool IsRandom);

    internal sealed record ProxiedEndpoint(IResource Resource, EndpointAnnotation Endpoint, int Port);
}
