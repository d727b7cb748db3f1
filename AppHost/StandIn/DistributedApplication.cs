using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting;

/// <summary>The described application, ready to run.</summary>
public sealed class DistributedApplication : IHost, IAsyncDisposable
{
    private readonly IHost _host;
    private readonly Interception? _interception;

    internal DistributedApplication(IHost host, Interception? interception)
    {
        _host = host;
        _interception = interception;
    }

    public IServiceProvider Services => _host.Services;

    public ResourceNotificationService ResourceNotifications =>
        Services.GetRequiredService<ResourceNotificationService>();

    public static IDistributedApplicationBuilder CreateBuilder(string[] args) =>
        new DistributedApplicationBuilder(args);

    public static IDistributedApplicationBuilder CreateBuilder() => CreateBuilder([]);

    public Task StartAsync(CancellationToken cancellationToken = default) => _host.StartAsync(cancellationToken);

    public Task StopAsync(CancellationToken cancellationToken = default) => _host.StopAsync(cancellationToken);

    /// <summary>Runs until told to stop. Under a testing builder the test starts and stops it instead.</summary>
    public async Task RunAsync(CancellationToken cancellationToken = default)
    {
        if (_interception is not null)
        {
            await _interception.HandOverAsync(this);
            return;
        }

        await HostingAbstractionsHostExtensions.RunAsync(this, cancellationToken);
    }

    public void Dispose() => _host.Dispose();

    public async ValueTask DisposeAsync()
    {
        if (_interception is not null)
        {
            await StopAsync();
        }

        if (_host is IAsyncDisposable host)
        {
            await host.DisposeAsync();
        }

        _interception?.Dispose();
    }
}
