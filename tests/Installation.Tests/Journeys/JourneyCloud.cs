using Cloud.Installations.Tests.World;
using Cloud.TestHost;
using Cloud.TestHost.Journeys;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Cloud.Installations.Tests.Journeys;

/// <summary>Journeys of this service under every fault.</summary>
public sealed class Journeys(JourneyStage<JourneyCloud> stage, ITestOutputHelper output)
    : JourneySuite<JourneyCloud>(stage, output);

/// <summary>Two processes of the installation service, and the rest of the cloud around them.</summary>
public sealed class JourneyCloud : IJourneyWorld<JourneyCloud>
{
    private readonly InstallationSystem _system;

    private JourneyCloud(InstallationSystem system, RedisServer redis) => (_system, Redis) = (system, redis);

    public static int LivesAtOnce => 16;

    public IReadOnlyList<IReplica> Replicas => _system.Replicas;

    public RedisServer Redis { get; }

    internal InstallationSystem System => _system;

    internal OutsideWorld Outside => _system.World;

    public static async Task<JourneyCloud> StartAsync(Action<IServiceCollection> configure, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();

        // Its own: a turn nudged for a row of another system would wait for the life that the row belongs to.
        var redis = new RedisServer();
        var system = await InstallationSystem.StartAsync(configure: configure, ownRedis: redis);
        system.AddReplica();
        return new JourneyCloud(system, redis);
    }

    public IReplica StartWithoutRedis() => _system.WithoutRedis();

    public async ValueTask DisposeAsync()
    {
        await _system.DisposeAsync();
        Redis.Dispose();
    }
}
