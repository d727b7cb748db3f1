using Cloud.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Cloud.Surface.Tests.Plans;

/// <summary>A cloudlet with a fleet of some years in its tables, whose databases tell how they execute what they are
/// asked. Nothing in it asks by itself.</summary>
public sealed class SeededCloudlet : IAsyncLifetime
{
    public SeededCloudlet() => Cloudlet = new Cloudlet { Furnish = FurnishAsync, Configure = Configure };

    /// <summary>The services.</summary>
    public Cloudlet Cloudlet { get; }

    /// <summary>How statements were executed.</summary>
    public QueryPlans Plans { get; } = new();

    public ValueTask InitializeAsync() => Cloudlet.InitializeAsync();

    public ValueTask DisposeAsync() => Cloudlet.DisposeAsync();

    private static async Task FurnishAsync(string host, TestDatabase database, CancellationToken ct)
    {
        await Seeds.SowAsync(host, database, ct);
        await QueryPlans.ExplainAsync(database, ct);
    }

    private void Configure(IServiceCollection services)
    {
        Plans.Hear(services);
        foreach (var gauges in services.Where(s => s.ImplementationType?.Name == "FleetGauges").ToList())
        {
            services.Remove(gauges);
        }
    }
}
