using System.Text.Json.Nodes;
using System.Threading.Channels;
using Cloud.Simulator.ApiServers;
using Cloud.TestHost;
using Cloud.TestHost.Journeys;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Cloud.ClusterTests.Journeys;

/// <summary>Journeys of this service under every fault.</summary>
public sealed class Journeys(JourneyStage<Fleet> stage, ITestOutputHelper output)
    : JourneySuite<Fleet>(stage, output);

/// <summary>Two processes of the service, a cluster that they know, and others that lives take in and let go.</summary>
public sealed class Fleet : IJourneyWorld<Fleet>
{
    private const int Spares = 16;

    private static readonly string[] ServersFields = ["managedFields", "resourceVersion", "creationTimestamp"];

    private readonly ClusterWorld _world;
    private readonly ServiceHost<Cloud.Clusters.ClusterService> _second;
    private readonly Channel<string> _spares = Channel.CreateUnbounded<string>();

    private Fleet(ClusterWorld world)
    {
        (_world, _second) = (world, world.Start());
        _ = _second.Channel;
        foreach (var spare in world.Simulated.Skip(1))
        {
            _spares.Writer.TryWrite(spare.Name);
        }
    }

    public static int LivesAtOnce => 16;

    public IReadOnlyList<IReplica> Replicas => [_world.Service, _second];

    public RedisServer Redis => _world.Redis;

    /// <summary>The cluster that installations come into.</summary>
    public string Cluster { get; private set; } = "";

    internal ClusterWorld World => _world;

    internal IClusterApi Api => _world.Cluster("large").Api;

    public static async Task<Fleet> StartAsync(Action<IServiceCollection> configure, CancellationToken ct)
    {
        var startDelay = TimeSpan.FromMilliseconds(20);
        var world = new ClusterWorld
        {
            Configure = configure,
            Simulated =
            [
                new() { Name = "large", Nodes = 8, Pods = 500, PodStartDelay = startDelay },
                .. Enumerable.Range(1, Spares).Select(n => new ClusterSettings
                {
                    Name = $"spare-{n}", Nodes = 1, Pods = 20, PodStartDelay = startDelay,
                }),
            ],
        };
        await world.InitializeAsync();
        return new Fleet(world) { Cluster = (await world.StableClusterAsync("large", ct)).Name };
    }

    public IReplica StartWithoutRedis() => _world.Start(withRedis: false);

    public async ValueTask DisposeAsync()
    {
        await _second.DisposeAsync();
        await _world.DisposeAsync();
    }

    /// <summary>Gives a life a cluster that nobody has taken in.</summary>
    internal async Task<string> TakeSpareAsync(CancellationToken ct) => await _spares.Reader.ReadAsync(ct);

    internal void ReturnSpare(string name) => _spares.Writer.TryWrite(name);

    /// <summary>Objects as we write them: without what the server or an operator adds.</summary>
    internal static IReadOnlyList<string> Written(IEnumerable<JsonObject?> objects) =>
    [
        .. objects.OfType<JsonObject>().Select(item =>
        {
            var copy = item.DeepClone().AsObject();
            copy.Remove("status");
            foreach (var field in ServersFields)
            {
                copy["metadata"]!.AsObject().Remove(field);
            }

            return copy.ToJsonString();
        }),
    ];
}
