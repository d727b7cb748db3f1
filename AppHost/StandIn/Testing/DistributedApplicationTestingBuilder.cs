using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Aspire.Hosting.Testing;

/// <summary>An AppHost's application, before it is built, in the hands of a test.</summary>
public interface IDistributedApplicationTestingBuilder : IAsyncDisposable
{
    ConfigurationManager Configuration { get; }

    IServiceCollection Services { get; }

    IResourceCollection Resources { get; }

    Task<DistributedApplication> BuildAsync(CancellationToken cancellationToken = default);
}

/// <summary>Lets a test run the application that an AppHost describes.</summary>
public static class DistributedApplicationTestingBuilder
{
    /// <summary>Runs the AppHost's Main until it has described its application.</summary>
    /// <typeparam name="TEntryPoint">The class generated for the AppHost: <c>Projects.AppHost</c>.</typeparam>
    public static Task<IDistributedApplicationTestingBuilder> CreateAsync<TEntryPoint>(
        CancellationToken cancellationToken = default)
        where TEntryPoint : class => CreateAsync<TEntryPoint>([], cancellationToken);

    /// <summary>The same with arguments for Main; <c>--Key=Value</c> sets configuration.</summary>
    public static async Task<IDistributedApplicationTestingBuilder> CreateAsync<TEntryPoint>(
        string[] args, CancellationToken cancellationToken = default)
        where TEntryPoint : class
    {
        string[] all = ["--DcpPublisher:RandomizePorts=true", .. args];
        var interception = new Interception(typeof(TEntryPoint).Assembly, all);
        interception.Begin();
        return new TestingBuilder(await interception.Builder.WaitAsync(cancellationToken), interception);
    }

    private sealed class TestingBuilder(IDistributedApplicationBuilder builder, Interception interception)
        : IDistributedApplicationTestingBuilder
    {
        public ConfigurationManager Configuration => builder.Configuration;

        public IServiceCollection Services => builder.Services;

        public IResourceCollection Resources => builder.Resources;

        public Task<DistributedApplication> BuildAsync(CancellationToken cancellationToken = default) =>
            interception.BuildAsync().WaitAsync(cancellationToken);

        public ValueTask DisposeAsync()
        {
            interception.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}

/// <summary>What a test asks of a running application.</summary>
public static class DistributedApplicationHostingTestingExtensions
{
    /// <summary>A client for an HTTP endpoint of a resource.</summary>
    public static HttpClient CreateHttpClient(
        this DistributedApplication app, string resourceName, string? endpointName = null) =>
        new() { BaseAddress = app.GetEndpoint(resourceName, endpointName ?? "http") };

    /// <summary>The address of an endpoint of a resource.</summary>
    public static Uri GetEndpoint(this DistributedApplication app, string resourceName, string? endpointName = null)
    {
        var resource = (IResourceWithEndpoints)Find(app, resourceName);
        return new Uri(new EndpointReference(
            resource, endpointName ?? resource.Annotations.OfType<EndpointAnnotation>().First().Name).Url);
    }

    /// <summary>The connection string of a resource.</summary>
    public static ValueTask<string?> GetConnectionStringAsync(
        this DistributedApplication app, string resourceName, CancellationToken cancellationToken = default) =>
        ((IResourceWithConnectionString)Find(app, resourceName)).GetConnectionStringAsync(cancellationToken);

    private static IResource Find(DistributedApplication app, string name) =>
        app.Services.GetRequiredService<IResourceCollection>().FirstOrDefault(r => r.Name == name)
        ?? throw new DistributedApplicationException($"There is no resource {name}.");
}
