using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Cloud.ServiceDefaults.Hosting;

/// <summary>The connection to Redis, which a service can always do without. It is made in the background: a service
/// starts and serves with Redis down, and everybody asks <see cref="Connected"/> before use instead of
/// waiting.</summary>
public sealed class RedisLink(IServiceProvider services, ILogger<RedisLink> logger) : IHostedService
{
    private readonly Lock _gate = new();
    private readonly List<Func<IConnectionMultiplexer, Task>> _listeners = [];
    private IConnectionMultiplexer? _multiplexer;
    private Task _connecting = Task.CompletedTask;

    /// <summary>The connection if it stands now; null while Redis is away or not configured.</summary>
    public IConnectionMultiplexer? Connected => _multiplexer is { IsConnected: true } connected ? connected : null;

    /// <summary>Calls back on every (re)connection, and at once when connected already.</summary>
    public void WhenConnected(Func<IConnectionMultiplexer, Task> listener)
    {
        lock (_gate)
        {
            _listeners.Add(listener);
        }

        if (Connected is { } redis)
        {
            _ = CallAsync(listener, redis);
        }
    }

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        // The first connection blocks its thread for up to the connect timeout; nobody waits for it here.
        _connecting = Task.Run(Connect, cancellationToken);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void Connect()
    {
        try
        {
            if (services.GetService<IConnectionMultiplexer>() is not { } multiplexer)
            {
                logger.LogWarning("Running without Redis: no connection string 'redis'");
                return;
            }

            multiplexer.ConnectionRestored += (_, change) =>
            {
                if (change.ConnectionType == ConnectionType.Interactive)
                {
                    logger.LogInformation("Using Redis again at {Endpoint}", change.EndPoint);
                }

                // Also for the subscriptions' own connection: what was sent while it was away went unheard.
                Announce(multiplexer);
            };
            multiplexer.ConnectionFailed += (_, change) =>
            {
                if (change.ConnectionType == ConnectionType.Interactive)
                {
                    logger.LogWarning(
                        "Losing Redis ({Failure}): leases fall back to PostgreSQL, nudges to other processes are lost",
                        change.FailureType);
                }
            };
            _multiplexer = multiplexer;
            if (multiplexer.IsConnected)
            {
                logger.LogInformation(
                    "Using Redis at {Endpoints}", string.Join<EndPoint>(", ", multiplexer.GetEndPoints()));
                Announce(multiplexer);
            }
        }
        catch (Exception e) when (e is RedisException or ArgumentException or ObjectDisposedException)
        {
            logger.LogWarning(e, "Running without Redis: its client could not be made");
        }
    }

    private void Announce(IConnectionMultiplexer redis)
    {
        Func<IConnectionMultiplexer, Task>[] listeners;
        lock (_gate)
        {
            listeners = [.. _listeners];
        }

        foreach (var listener in listeners)
        {
            _ = CallAsync(listener, redis);
        }
    }

    private async Task CallAsync(Func<IConnectionMultiplexer, Task> listener, IConnectionMultiplexer redis)
    {
        try
        {
            await listener(redis);
        }
        catch (Exception e) when (e is RedisException or TimeoutException or ObjectDisposedException)
        {
            logger.LogDebug(e, "Losing Redis again while greeting it");
        }
    }
}
