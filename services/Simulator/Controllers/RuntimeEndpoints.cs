namespace Cloud.Simulator.Controllers;

/// <summary>A change of a cluster's nodes as it is asked for over HTTP. What is left out stays as it is.</summary>
/// <param name="PodStartDelayMs">How long pods scheduled from now on take to start, in milliseconds.</param>
/// <param name="CrashPods">Pods whose containers are to exit with an error now.</param>
/// <param name="MissingImages">Images, or repositories, that cannot be pulled from now on; empty: all can.</param>
public sealed record RuntimeChange(
    int? PodStartDelayMs, PodSelection? CrashPods, IReadOnlyList<string>? MissingImages);

/// <summary>Some pods of a cluster.</summary>
/// <param name="Namespace">Their namespace; empty is all.</param>
/// <param name="Selector">Label selector as in a URL; empty is all.</param>
public sealed record PodSelection(string? Namespace, string? Selector);

/// <summary>The part of the simulator's own HTTP surface that is about nodes and their pods.</summary>
public static class RuntimeEndpoints
{
    /// <summary>Longest delay that can be set, in milliseconds: one hour.</summary>
    private const int LongestDelayMs = 3_600_000;

    /// <summary>Registers the controllers and the ingress. Needs the clusters, the settings and a clock.</summary>
    public static IServiceCollection AddClusterControllers(this IServiceCollection services, RuntimeSettings settings)
    {
        services.AddSingleton(settings);
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<ControllersHost>(provider, Random.Shared));
        services.AddHostedService(provider => provider.GetRequiredService<ControllersHost>());
        return services;
    }

    /// <summary>Maps <c>/simulator/clusters/{cluster}/runtime</c>: GET tells the settings, POST changes them.</summary>
    public static IEndpointRouteBuilder MapRuntimeControls(this IEndpointRouteBuilder endpoints)
    {
        var group = endpoints.MapGroup("/simulator/clusters/{cluster}/runtime");
        group.MapGet("", (string cluster, ControllersHost host) =>
            host.Find(cluster) is { } controllers ? Results.Ok(Describe(controllers)) : Unknown(cluster));
        group.MapPost("", (string cluster, RuntimeChange change, ControllersHost host) =>
            host.Find(cluster) is { } controllers ? Apply(controllers, change) : Unknown(cluster));
        return endpoints;
    }

    private static IResult Apply(ClusterControllers controllers, RuntimeChange change)
    {
        if (change.PodStartDelayMs is < 0 or > LongestDelayMs)
            return Results.BadRequest($"podStartDelayMs must be between 0 and {LongestDelayMs}.");
        if (change.PodStartDelayMs is { } delay) controllers.Controls.PodStartDelay = TimeSpan.FromMilliseconds(delay);
        if (change.MissingImages is { } images) controllers.Controls.MissingImages = images;
        if (change.CrashPods is { } pods)
            controllers.Controls.CrashPods(pods.Namespace is "" ? null : pods.Namespace, pods.Selector ?? "");
        return Results.Ok(Describe(controllers));
    }

    private static object Describe(ClusterControllers controllers) => new
    {
        podStartDelayMs = (int)controllers.Controls.PodStartDelay.TotalMilliseconds,
        missingImages = controllers.Controls.MissingImages,
    };

    private static IResult Unknown(string cluster) => Results.NotFound($"There is no cluster \"{cluster}\".");
}
