using System.Globalization;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Cloud.TestHost;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Xunit;

namespace Cloud.AppHost.Tests;

/// <summary>A small application on the stand-in, with its logs in a directory of its own.</summary>
internal sealed class Application : IAsyncDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private DistributedApplication? _running;

    public Application()
    {
        Builder = DistributedApplication.CreateBuilder();
        Builder.Configuration["StandIn:LogDirectory"] = _directory.Path;
    }

    public static CancellationToken Token => TestContext.Current.CancellationToken;

    public IDistributedApplicationBuilder Builder { get; }

    public DistributedApplication Running => _running ?? throw new InvalidOperationException("Not started.");

    public ResourceNotificationService Notifications => Running.ResourceNotifications;

    public async Task StartAsync()
    {
        _running = Builder.Build();
        await _running.StartAsync(Token);
    }

    /// <summary>What a program printed.</summary>
    public Task<string[]> LogAsync(string id) =>
        File.ReadAllLinesAsync(Path.Combine(_directory.Path, $"{id}.log"), Token);

    /// <summary>Waits until a replica runs as another process than before, and gives its process id.</summary>
    public async Task<int> ProcessIdAsync(string id, int otherThan = 0, bool healthy = false)
    {
        await foreach (var change in Notifications.WatchAsync(Token))
        {
            var processId = change.Snapshot.Properties
                .FirstOrDefault(p => p.Name == "executable.pid")?.Value as int? ?? 0;
            if (change.ResourceId == id && processId != 0 && processId != otherThan
                && (!healthy || change.Snapshot.HealthStatus == HealthStatus.Healthy))
            {
                return processId;
            }
        }

        throw new InvalidOperationException("Watching ended.");
    }

    public async ValueTask DisposeAsync()
    {
        if (_running is not null)
        {
            await _running.StopAsync(Token);
            await _running.DisposeAsync();
        }

        _directory.Dispose();
    }

    /// <summary>LocalRedis as a project of an application: a real program that listens where it is told.</summary>
    internal sealed class RedisProject : IProjectMetadata
    {
        public string ProjectPath => Path.Combine(Repository.Root, "AppHost", "LocalRedis", "LocalRedis.csproj");

        public string TargetPath => Path.Combine(AppContext.BaseDirectory, "Cloud.LocalRedis.dll");
    }

    internal static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
