using System.Reflection;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Running;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace Aspire.Hosting;

/// <summary>All resources of the application, by name.</summary>
public interface IResourceCollection : IReadOnlyList<IResource>
{
    void Add(IResource resource);
}

/// <summary>Collects the resources of an application.</summary>
public interface IDistributedApplicationBuilder
{
    ConfigurationManager Configuration { get; }

    string AppHostDirectory { get; }

    IHostEnvironment Environment { get; }

    IServiceCollection Services { get; }

    IResourceCollection Resources { get; }

    IResourceBuilder<T> AddResource<T>(T resource)
        where T : IResource;

    DistributedApplication Build();
}

/// <summary>One resource while it is described.</summary>
public interface IResourceBuilder<out T>
    where T : IResource
{
    IDistributedApplicationBuilder ApplicationBuilder { get; }

    T Resource { get; }

    IResourceBuilder<T> WithAnnotation<TAnnotation>(TAnnotation annotation)
        where TAnnotation : IResourceAnnotation;
}

internal sealed class DistributedApplicationBuilder : IDistributedApplicationBuilder
{
    private readonly HostApplicationBuilder _host;
    private readonly Interception? _interception;

    public DistributedApplicationBuilder(string[] args)
    {
        _interception = Interception.Current;
        _host = Host.CreateApplicationBuilder([.. args, .. _interception?.Args ?? []]);
        AppHostDirectory = FindAppHostDirectory(_interception?.EntryAssembly ?? Assembly.GetEntryAssembly());
        _host.Logging.ClearProviders();
        _host.Logging.AddConsole(console => console.FormatterName = LineFormatter.FormatterName);
        _host.Logging.AddConsoleFormatter<LineFormatter, ConsoleFormatterOptions>();
        _host.Logging.AddFilter("Microsoft", LogLevel.Warning);
        _host.Logging.AddFilter("System", LogLevel.Warning);
        // A failed check while something starts is no news; what matters is said per resource.
        _host.Logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None);
        _host.Services.AddSingleton<ResourceNotificationService>();
        _host.Services.AddSingleton(Resources);
        _host.Services.AddHealthChecks();
        _host.Services.AddHostedService<Runner>();
        if (_interception is not null)
        {
            // The signals of a test process are the test runner's.
            _host.Services.AddSingleton<IHostLifetime, NoLifetime>();
        }

        _host.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromMinutes(1));
    }

    public ConfigurationManager Configuration => _host.Configuration;

    public string AppHostDirectory { get; }

    public IHostEnvironment Environment => _host.Environment;

    public IServiceCollection Services => _host.Services;

    public IResourceCollection Resources { get; } = new ResourceCollection();

    public IResourceBuilder<T> AddResource<T>(T resource)
        where T : IResource
    {
        if (!resource.Name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '-'))
        {
            throw new ArgumentException(
                $"The resource name '{resource.Name}' may have only ASCII letters, digits and hyphens.",
                nameof(resource));
        }

        Resources.Add(resource);
        return new ResourceBuilder<T>(this, resource);
    }

    public DistributedApplication Build()
    {
        _interception?.PauseBeforeBuild(this);
        return new DistributedApplication(_host.Build(), _interception);
    }

    // The directory of the project, which the build writes into the assembly; where that is missing, that of the
    // program.
    private static string FindAppHostDirectory(Assembly? entry) =>
        entry?.GetCustomAttributes<AssemblyMetadataAttribute>()
            .FirstOrDefault(a => a.Key.Equals("apphostprojectpath", StringComparison.OrdinalIgnoreCase))?.Value
        ?? AppContext.BaseDirectory;

    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    private sealed class ResourceBuilder<T>(IDistributedApplicationBuilder application, T resource)
        : IResourceBuilder<T>
        where T : IResource
    {
        public IDistributedApplicationBuilder ApplicationBuilder { get; } = application;

        public T Resource { get; } = resource;

        public IResourceBuilder<T> WithAnnotation<TAnnotation>(TAnnotation annotation)
            where TAnnotation : IResourceAnnotation
        {
            Resource.Annotations.Add(annotation);
            return this;
        }
    }

    private sealed class ResourceCollection : List<IResource>, IResourceCollection
    {
        void IResourceCollection.Add(IResource resource)
        {
            if (Exists(other => other.Name.Equals(resource.Name, StringComparison.OrdinalIgnoreCase)))
            {
                throw new DistributedApplicationException($"A resource named '{resource.Name}' exists already.");
            }

            Add(resource);
        }
    }
}

/// <summary>The application is described wrongly, or cannot run.</summary>
public sealed class DistributedApplicationException : Exception
{
    public DistributedApplicationException(string message)
        : base(message)
    {
    }
}
