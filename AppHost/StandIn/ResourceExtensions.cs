using System.Globalization;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;

namespace Aspire.Hosting;

/// <summary>Adds resources.</summary>
public static class ResourceExtensions
{
    /// <summary>A value from configuration <c>Parameters:name</c>.</summary>
    public static IResourceBuilder<ParameterResource> AddParameter(
        this IDistributedApplicationBuilder builder, string name, bool secret = false) =>
        builder.AddResource(new ParameterResource(
            name,
            () => builder.Configuration[$"Parameters:{name}"]
                ?? throw new DistributedApplicationException($"The parameter {name} has no value (Parameters:{name})."),
            secret));

    /// <summary>A value given here, unless configuration <c>Parameters:name</c> has another.</summary>
    public static IResourceBuilder<ParameterResource> AddParameter(
        this IDistributedApplicationBuilder builder, string name, string value, bool publishValueAsDefault = false,
        bool secret = false) =>
        builder.AddResource(
            new ParameterResource(name, () => builder.Configuration[$"Parameters:{name}"] ?? value, secret));

    /// <summary>A connection string from configuration <c>ConnectionStrings:name</c>.</summary>
    public static IResourceBuilder<IResourceWithConnectionString> AddConnectionString(
        this IDistributedApplicationBuilder builder, string name, string? environmentVariableName = null)
    {
        var value = builder.Configuration.GetConnectionString(name)
            ?? throw new DistributedApplicationException(
                $"The connection string {name} is missing (ConnectionStrings:{name}).");
        return builder.AddConnectionString(name, ReferenceExpression.Create($"{value}"));
    }

    /// <summary>A connection string put together from parts.</summary>
    public static IResourceBuilder<ConnectionStringResource> AddConnectionString(
        this IDistributedApplicationBuilder builder, string name, ReferenceExpression connectionStringExpression) =>
        builder.AddResource(new ConnectionStringResource(name, connectionStringExpression));

    /// <summary>A project of this repository, with the endpoints its appsettings.json gives to Kestrel.</summary>
    public static IResourceBuilder<ProjectResource> AddProject<TProject>(
        this IDistributedApplicationBuilder builder, string name)
        where TProject : IProjectMetadata, new()
    {
        var project = new TProject();
        var resource = builder.AddResource(new ProjectResource(name)).WithAnnotation(project);
        var settings = new ConfigurationBuilder()
            .AddJsonFile(Path.Combine(Path.GetDirectoryName(project.ProjectPath)!, "appsettings.json"), optional: true)
            .Build();
        var endpoints = settings.GetSection("Kestrel:Endpoints").GetChildren()
            .Where(endpoint => endpoint["Url"] is not null)
            .Select(endpoint => (endpoint.Key, Url: Address(endpoint["Url"]!)))
            .ToList();
        foreach (var (key, url) in endpoints)
        {
            // As Aspire does: the scheme's name where it is the only one of its scheme, else the name in the settings.
            var alone = endpoints.Count(other => other.Url.Scheme == url.Scheme) == 1;
            resource.WithAnnotation(new EndpointAnnotation(alone ? url.Scheme : key, url.Scheme)
            {
                Port = url.Port == 0 ? null : url.Port, KestrelKey = key,
            });
        }

        return resource;
    }

    /// <summary>Any program.</summary>
    public static IResourceBuilder<ExecutableResource> AddExecutable(
        this IDistributedApplicationBuilder builder, string name, string command, string workingDirectory,
        params string[]? args) =>
        builder.AddResource(
                new ExecutableResource(name, command, Path.Combine(builder.AppHostDirectory, workingDirectory)))
            .WithArgs(args ?? []);

    /// <summary>Runs several copies behind the same ports.</summary>
    public static IResourceBuilder<ProjectResource> WithReplicas(
        this IResourceBuilder<ProjectResource> builder, int replicas) =>
        builder.WithAnnotation(new ReplicaAnnotation(replicas));

    /// <summary>Starts after the other is healthy.</summary>
    public static IResourceBuilder<T> WaitFor<T>(
        this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency)
        where T : IResourceWithWaitSupport =>
        builder.WithAnnotation(new WaitAnnotation(dependency.Resource, WaitType.WaitUntilHealthy));

    /// <summary>Starts after the other has started.</summary>
    public static IResourceBuilder<T> WaitForStart<T>(
        this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency)
        where T : IResourceWithWaitSupport =>
        builder.WithAnnotation(new WaitAnnotation(dependency.Resource, WaitType.WaitUntilStarted));

    /// <summary>Starts after the other has ended with the code.</summary>
    public static IResourceBuilder<T> WaitForCompletion<T>(
        this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency, int exitCode = 0)
        where T : IResourceWithWaitSupport =>
        builder.WithAnnotation(new WaitAnnotation(dependency.Resource, WaitType.WaitForCompletion, exitCode));

    /// <summary>The check registered by this key on the builder's services decides health.</summary>
    public static IResourceBuilder<T> WithHealthCheck<T>(this IResourceBuilder<T> builder, string key)
        where T : IResource => builder.WithAnnotation(new HealthCheckAnnotation(key));

    /// <summary>The answer to an HTTP GET decides health.</summary>
    public static IResourceBuilder<T> WithHttpHealthCheck<T>(
        this IResourceBuilder<T> builder, string? path = null, int? statusCode = null, string? endpointName = null)
        where T : IResourceWithEndpoints =>
        builder.WithAnnotation(new HttpHealthAnnotation(endpointName, path ?? "/", statusCode ?? 200));

    /// <summary>Adds arguments.</summary>
    public static IResourceBuilder<T> WithArgs<T>(this IResourceBuilder<T> builder, params string[] args)
        where T : IResourceWithArgs => builder.WithArgs([.. args.Cast<object>()]);

    /// <summary>Adds arguments, some of which are known only later.</summary>
    public static IResourceBuilder<T> WithArgs<T>(this IResourceBuilder<T> builder, params object[] args)
        where T : IResourceWithArgs =>
        builder.WithAnnotation(new CommandLineArgsCallbackAnnotation(context =>
        {
            foreach (var argument in args)
            {
                context.Args.Add(argument);
            }

            return Task.CompletedTask;
        }));

    private static Uri Address(string url) => new(url.Replace("*", "127.0.0.1", StringComparison.Ordinal));

    internal static string Port(int port) => port.ToString(CultureInfo.InvariantCulture);
}
