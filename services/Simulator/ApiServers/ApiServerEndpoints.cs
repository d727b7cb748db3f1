using Cloud.Simulator.ApiServers.Requests;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Cloud.Simulator.ApiServers;

/// <summary>Puts the API servers of all simulated clusters into a web application, a base path each.</summary>
public static class ApiServerEndpoints
{
    /// <summary>Registers the clusters. Needs a clock.</summary>
    public static IServiceCollection AddApiServers(this IServiceCollection services, ApiServerSettings settings)
    {
        services.AddSingleton(settings);
        services.AddSingleton(provider =>
        {
            var clock = provider.GetRequiredService<TimeProvider>();
            return new ApiServerSet([.. settings.EffectiveClusters
                .Select(c => new ApiServer(c, clock, StateOf(settings, c)))]);
        });
        services.AddSingleton(provider => new SimulatedClusters(
            [.. provider.GetRequiredService<ApiServerSet>().All
                .Select(s => new SimulatedCluster(s.Settings, s, new Faults(Random.Shared)))]));
        return services;
    }

    /// <summary>
    /// Maps <c>/clusters/{name}/...</c>, the faults and the health checks; writes the kubeconfig once listening.
    /// </summary>
    public static void MapApiServers(this WebApplication app)
    {
        var clusters = app.Services.GetRequiredService<SimulatedClusters>();
        var logger = app.Services.GetRequiredService<ILogger<ApiRequests>>();
        var byName = clusters.All.ToDictionary(c => c.Settings.Name,
            c => new ApiRequests((ApiServer)c.Api, c.Faults, logger), StringComparer.Ordinal);
        app.Use((http, next) => RouteAsync(byName, http, next));
        app.MapFaults(clusters);
        app.MapGet("/health/live", () => "Healthy");
        app.MapGet("/health/ready", () => "Healthy");
        app.Lifetime.ApplicationStarted.Register(() => WriteKubeconfig(app, clusters));
    }

    private static Task RouteAsync(Dictionary<string, ApiRequests> byName, HttpContext http, RequestDelegate next)
    {
        const string root = "/clusters/";
        var path = http.Request.Path.Value ?? "";
        if (!path.StartsWith(root, StringComparison.Ordinal)) return next(http);
        var end = path.IndexOf('/', root.Length);
        var name = end < 0 ? path[root.Length..] : path[root.Length..end];
        if (byName.TryGetValue(name, out var requests)) return requests.HandleAsync(http, end < 0 ? "/" : path[end..]);
        http.Response.StatusCode = StatusCodes.Status404NotFound;
        return http.Response.WriteAsync($"There is no cluster \"{name}\".", http.RequestAborted);
    }

    private static string? StateOf(ApiServerSettings settings, ClusterSettings cluster) =>
        settings.StatePath.Length == 0 ? null : Path.Combine(settings.StatePath, "clusters", cluster.Name);

    private static void WriteKubeconfig(WebApplication app, SimulatedClusters clusters)
    {
        var settings = app.Services.GetRequiredService<ApiServerSettings>();
        if (settings.KubeconfigPath.Length == 0) return;
        var listening = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses
            .FirstOrDefault();
        var url = settings.ApiUrl.Port == 0 && listening is not null ? new Uri(listening) : settings.ApiUrl;
        KubeconfigFile.Write(settings.KubeconfigPath, url, [.. clusters.All.Select(c => c.Settings)]);
    }
}

/// <summary>The API servers of this process; closed with it.</summary>
public sealed class ApiServerSet(IReadOnlyList<ApiServer> all) : IDisposable
{
    public IReadOnlyList<ApiServer> All { get; } = all;

    public void Dispose()
    {
        foreach (var server in All) server.Dispose();
    }
}
