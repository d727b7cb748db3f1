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

    private JourneyCloud(InstallationSystem system) => _system = system;

    public static int LivesAtOnce => 16;

    public IReadOnlyList<IReplica> Replicas => _system.Replicas;

    public RedisServer Redis => InstallationSystem.Redis;

    internal InstallationSystem System => _system;

    internal OutsideWorld Outside => _system.World;

    public static async Task<JourneyCloud> StartAsync(Action<IServiceCollection> configure, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        var system = await InstallationSystem.StartAsync(configure: configure);
        system.AddReplica();
        return new JourneyCloud(system);
    }

    public IReplica StartWithoutRedis() => _system.WithoutRedis();

    public ValueTask DisposeAsync() => _system.DisposeAsync();
}
