using System.Collections.Concurrent;
using Cloud.ClusterInstallations;
using Cloud.DatabaseServers;
using Cloud.Events;
using Cloud.Installations;
using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using Xunit;

namespace Cloud.Surface.Tests;

/// <summary>
/// All services in this process on a real PostgreSQL and Redis, asking each other over real channels, without their
/// loops: rows change by requests alone, so that what a request changed can be told.
/// </summary>
public sealed class Cloudlet : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>Loops that write rows by themselves.</summary>
    private static readonly string[] Loops =
    [
        "Supervisor`2", "OutboxDelivery", "ClusterWatches", "Drift", "Retention", "EventRetention", "DeliveryUpkeep",
    ];

    private readonly RedisServer _redis = new();
    private readonly Dictionary<string, TestDatabase> _databases = [];
    private readonly Dictionary<string, ChannelBase> _channels = [];
    private readonly Dictionary<string, IReplica> _services = [];
    private readonly ErrorLog _log = new();

    /// <summary>Makes a service's new database ready, before the service starts.</summary>
    public Func<string, TestDatabase, CancellationToken, Task> Furnish { get; init; } = (_, _, _) => Task.CompletedTask;

    /// <summary>Last word on the container of a service.</summary>
    public Action<IServiceCollection> Configure { get; init; } = _ => { };

    /// <summary>What the services logged as errors.</summary>
    public IReadOnlyCollection<string> Errors => _log.Entries;

    public async ValueTask InitializeAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        var ct = patience.Token;
        var metrics = await StartAsync<EventService>("metrics", "metrics", [], ct);
        var pool = await StartAsync<DatabaseServerService>("databasepool", "database_pool", metrics, ct);
        var cluster = await StartAsync<ClusterInstallationRules>("cluster", "cluster", [.. metrics, .. pool], ct);
        await StartAsync<InstallationRules>("installation", "installation", [.. metrics, .. pool, .. cluster], ct);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var service in _services.Values.Reverse())
        {
            await service.DisposeAsync();
        }

        foreach (var database in _databases.Values)
        {
            await database.DisposeAsync();
        }

        _redis.Dispose();
    }

    /// <summary>Calls to a service, by the second part of its package.</summary>
    public CallInvoker Invoker(string host) => _channels[host].CreateCallInvoker();

    /// <summary>A connection to a service's own tables.</summary>
    public async Task<NpgsqlConnection> OpenAsync(string host, CancellationToken ct)
    {
        var connection = new NpgsqlConnection(_databases[host].ConnectionString);
        await connection.OpenAsync(ct);
        return connection;
    }

    public IEnumerable<string> Hosts => _channels.Keys;

    /// <summary>The container of a service.</summary>
    public IServiceProvider Services(string host) => _services[host].Services;

    private async Task<IEnumerable<KeyValuePair<string, string?>>> StartAsync<TProgram>(
        string host, string schema, IEnumerable<KeyValuePair<string, string?>> peers, CancellationToken ct)
        where TProgram : class
    {
        var database = await PostgresServer.DatabaseAsync(
            schema, (source, token) => Migrations.RunAsync(source, typeof(TProgram).Assembly, token), ct);
        _databases[host] = database;
        await Furnish(host, database, ct);
        var options = ServiceHostOptions.For(database, _redis).With(peers).With(
            [
                new("Logging:LogLevel:Default", "Error"), new("Logging:LogLevel:Cloud", "Error"),
                new("Dns:Domains:0", "localhost"), new("Dns:UrlFormat", "http://{host}/"),
                new("Webhooks:AllowHttp", "true"), new("Webhooks:AllowPrivateNetworks", "true"),
            ]) with
        {
            Configure = services =>
            {
                services.AddSingleton<ILoggerProvider>(_log);
                foreach (var loop in services.Where(IsLoop).ToList())
                {
                    services.Remove(loop);
                }

                Configure(services);
            },
        };
        var service = new ServiceHost<TProgram>(options);
        _services[host] = service;
        var address = service.AsPeer(schema.Replace('_', '-'));
        await service.Services.GetRequiredService<SchemaGate>().ReadyAsync(ct);
        _channels[host] = service.Channel;
        return address;
    }

    private static bool IsLoop(ServiceDescriptor service) => service.ServiceType == typeof(IHostedService)
        && Loops.Contains((service.ImplementationType
            ?? service.ImplementationFactory?.GetType().GenericTypeArguments[^1])?.Name);

    /// <summary>Keeps errors; what clients are told is no error.</summary>
    private sealed class ErrorLog : ILoggerProvider
    {
        private readonly ConcurrentQueue<string> _entries = new();

        public IReadOnlyCollection<string> Entries => _entries;

        public ILogger CreateLogger(string categoryName) => new Category(categoryName, _entries);

        public void Dispose()
        {
            // It outlives the services that write into it.
        }

        private sealed class Category(string name, ConcurrentQueue<string> entries) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state)
                where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Error;

            public void Log<TState>(
                LogLevel logLevel,
                EventId eventId,
                TState state,
                Exception? exception,
                Func<TState, Exception?, string> formatter)
            {
                // Who hangs up while its request is being read, or an answer written, makes the server's own
                // machinery stumble; no code of ours is on the way.
                var isHangUp = exception?.ToString() is { } text
                    && (text.Contains("The client reset the request stream", StringComparison.Ordinal)
                        || text.Contains("HttpContextServerCallContext.CancelRequest", StringComparison.Ordinal));
                if (IsEnabled(logLevel) && !isHangUp)
                {
                    entries.Enqueue($"{name}: {formatter(state, exception)} {exception}");
                }
            }
        }
    }
}

/// <summary>Tests that share one cloudlet, one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class TheCloudlet : ICollectionFixture<Cloudlet>
{
    public const string Name = "the cloudlet";
}
