using Grpc.AspNetCore.HealthChecks;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Cloud.ServiceDefaults.Hosting;

/// <summary>
/// How a service is, to whoever asks. Three questions, three addresses: <c>/health/live</c>, whether the process is
/// worth keeping; <c>/health/ready</c>, whether requests may be sent to it (what it cannot serve without, only that is
/// asked, so the answer is cheap); <c>/health</c>, everything, with a reason for each dependency that is not as it
/// should be. A service is <i>degraded</i> when something it can do without is away: it stays ready. gRPC health
/// answers readiness for <c>""</c> and for each gRPC service by its full name, <c>Watch</c> within
/// <see cref="PublishEvery"/>, and at once when the service stops.
/// </summary>
public static class Health
{
    /// <summary>How often the state is looked at though nobody asks: for watchers and for the gauge.</summary>
    public static readonly TimeSpan PublishEvery = TimeSpan.FromSeconds(15);

    private const string ReadyTag = "ready";
    private const string LiveTag = "live";
    private const string DegradedTag = "degraded";

    /// <summary>Registers a dependency that the service can do without: whatever the check answers, and if it throws,
    /// the service is degraded at worst.</summary>
    /// <param name="name">The dependency, as people call it; bounded by the code, since it labels a gauge.</param>
    public static IServiceCollection AddDegradation<TCheck>(this IServiceCollection services, string name)
        where TCheck : class, IHealthCheck
    {
        services.AddHealthChecks().AddCheck<TCheck>(name, HealthStatus.Degraded, [DegradedTag]);
        return services;
    }

    internal static void AddPeerCheck(this IServiceCollection services, string peer)
    {
        services.AddHealthChecks();
        services.Configure<HealthCheckServiceOptions>(options =>
        {
            var name = $"peer {peer}";
            if (options.Registrations.All(registered => registered.Name != name))
            {
                options.Registrations.Add(new HealthCheckRegistration(
                    name,
                    provider => ActivatorUtilities.CreateInstance<PeerCheck>(provider, peer),
                    HealthStatus.Degraded,
                    [DegradedTag]));
            }
        });
    }

    internal static void AddHealth(this IServiceCollection services)
    {
        services.AddGrpcHealthChecks()
            .AddCheck("self", () => HealthCheckResult.Healthy(), [LiveTag])
            .AddCheck<StoppingCheck>("stopping", tags: [ReadyTag])
            .AddCheck<PostgresCheck>("postgresql", tags: [ReadyTag])
            .AddCheck<RedisCheck>("redis", HealthStatus.Degraded, [DegradedTag])
            .AddCheck<LoopCheck>("loops", HealthStatus.Degraded, [DegradedTag]);
        services.Configure<HealthCheckPublisherOptions>(publisher =>
        {
            publisher.Delay = TimeSpan.Zero;
            publisher.Period = PublishEvery;
        });
        services.AddSingleton<ServedServices>();
        services.AddOptions<GrpcHealthChecksOptions>().Configure<ServedServices>((options, served) =>
        {
            foreach (var name in served.Names())
            {
                options.Services.Map(name, context => context.Tags.Contains(ReadyTag));
            }
        });
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHealthCheckPublisher, HealthGauge>());
    }

    internal static void MapHealth(this WebApplication app)
    {
        app.Services.GetRequiredService<ServedServices>().Sources = ((IEndpointRouteBuilder)app).DataSources;
        app.MapHealthChecks("/health", Answering(check => !check.Tags.Contains(LiveTag)));
        app.MapHealthChecks("/health/ready", Answering(check => check.Tags.Contains(ReadyTag)));
        app.MapHealthChecks("/health/live", Answering(check => check.Tags.Contains(LiveTag)));
        app.MapGrpcHealthChecksService();
    }

    private static HealthCheckOptions Answering(Func<HealthCheckRegistration, bool> asked) => new()
    {
        Predicate = asked,
        ResponseWriter = HealthReply.WriteAsync,
    };
}
