using System.Reflection;
using System.Runtime.CompilerServices;
using Cloud.Protos.Metrics.V1;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using StackExchange.Redis;

namespace Cloud.ServiceDefaults.Hosting;

/// <summary>What every service stands on, in two calls of its Program.cs.</summary>
public static class ServiceHosting
{
    /// <summary>Largest request a service takes, in bytes.</summary>
    public const int RequestBytesMax = 4 * 1024 * 1024;

    private const string DatabaseConnection = "cloud-db";
    private const string RedisConnection = "redis";
    private const string MetricsService = "metrics";
    private const int AutoPrepareMax = 100;

    private static readonly TimeSpan StopWithin = TimeSpan.FromSeconds(15);

    /// <summary>Telemetry, health, gRPC server and client defaults, service discovery, PostgreSQL (<c>cloud-db</c>),
    /// Redis (<c>redis</c>), data protection, clock, migrations, outbox and the parts of supervision.</summary>
    /// <param name="name">The service's discovery name; also the source of its events. <c>metrics</c> delivers its
    /// events nowhere unless it registers an <see cref="IEventSink"/> itself.</param>
    /// <param name="migrations">The assembly with <c>Migrations/*.sql</c> embedded; default the program's.</param>
    [MethodImpl(MethodImplOptions.NoInlining)] // so that the calling assembly is the program's
    public static WebApplicationBuilder AddServiceDefaults(
        this WebApplicationBuilder builder, string name, Assembly? migrations = null)
    {
        var services = builder.Services;
        services.AddSingleton(new ServiceIdentity(name));
        services.Configure<HostOptions>(host =>
        {
            // Steps are handed over while requests drain, not after.
            host.ServicesStopConcurrently = true;
            host.ShutdownTimeout = StopWithin;
        });
        services.AddHostedService<Draining>();
        services.AddSingleton(new MigrationSource(migrations ?? Assembly.GetCallingAssembly()));
        builder.AddTelemetry(name);
        // Each statement and request is a span already; as log lines they would bury what matters.
        builder.Logging.AddFilter("Npgsql", LogLevel.Warning).AddFilter("System.Net.Http.HttpClient", LogLevel.Warning);
        AddStorage(builder, name);
        services.AddSupervision();
        AddGrpc(services);
        services.AddHealth();
        services.AddServiceDiscovery();
        services.ConfigureHttpClientDefaults(http => http.AddServiceDiscovery());
        KeyRing.AddTo(services, builder.Configuration, name);
        return builder;
    }

    /// <summary>Runs until told to stop. Told so while it still starts, it ends in order too: the host takes that for a
    /// failure to start.</summary>
    public static async Task RunServiceAsync(this WebApplication app)
    {
        // Taken before the end, which disposes of the services.
        var stopping = app.Lifetime.ApplicationStopping;
        try
        {
            await app.RunAsync();
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Nothing had been taken on yet that could be left undone.
        }
    }

    /// <summary>Maps <c>/health</c>, <c>/health/live</c>, <c>/health/ready</c>, <c>/metrics</c>, gRPC health and
    /// reflection.</summary>
    public static WebApplication MapServiceDefaults(this WebApplication app)
    {
        MessageRefusals.Use(app);
        app.MapHealth();
        app.MapPrometheusScrapingEndpoint("/metrics");
        app.MapGrpcReflectionService();
        return app;
    }

    private static void AddStorage(WebApplicationBuilder builder, string name)
    {
        builder.AddNpgsqlDataSource(
            DatabaseConnection,
            settings => settings.DisableHealthChecks = true,
            source =>
            {
                source.ConnectionStringBuilder.MaxAutoPrepare = AutoPrepareMax;
                // Nothing here leaves a trace in its session (advisory locks are those of transactions), so that the
                // seven statements which would wipe it before each use would only cost.
                source.ConnectionStringBuilder.NoResetOnClose = true;
                // Only types that every PostgreSQL has are used, so that its catalog need not be read at the start.
                source.ConfigureTypeLoading(types => types.EnableTypeLoading(false));
                LostHosts.Notice(source);
            });
        var services = builder.Services;
        if (builder.Configuration.GetConnectionString(RedisConnection) is { Length: > 0 })
        {
            builder.AddRedisClient(
                RedisConnection,
                settings => settings.DisableHealthChecks = true,
                options =>
                {
                    options.BacklogPolicy = BacklogPolicy.FailFast;
                    options.ConnectTimeout = 2000;
                    options.AsyncTimeout = 2000;
                    options.SyncTimeout = 2000;
                });
        }

        services.AddSingleton<RedisLink>();
        services.AddHostedService(provider => provider.GetRequiredService<RedisLink>());
        services.AddSingleton<SchemaGate>();
        services.AddHostedService(provider => provider.GetRequiredService<SchemaGate>());
        services.AddSingleton<OutboxSignal>();
        services.AddSingleton<CommitHints>();
        services.AddSingleton<Database>();
        services.AddSingleton<RequestLedger>();
        services.AddSingleton(provider => new OutboxStore(provider.GetRequiredService<NpgsqlDataSource>()));
        services.AddSingleton(provider => new ChangeFeed(
            provider.GetRequiredService<OutboxStore>(),
            provider.GetRequiredService<INudges>(),
            provider.GetRequiredService<TimeProvider>()));
        services.TryAddSingleton(builder.Configuration.GetSection("Watches").Get<WatchOptions>() ?? new());
        services.AddSingleton<StorageMeter>();
        services.AddSingleton<WatchClients>();
        services.AddSingleton<WatchStreams>();
        services.AddSingleton<UntoldParents>();
        services.AddHostedService<OutboxDelivery>();
        services.AddHostedService<Retention>();
        if (name != MetricsService)
        {
            services.AddGrpcPeer<EventIngestionService.EventIngestionServiceClient>(MetricsService);
            services.TryAddSingleton<IEventSink, MetricsEventSink>();
        }
    }

    private static void AddGrpc(IServiceCollection services)
    {
        services.AddGrpc(options =>
        {
            options.Interceptors.Add<ProblemInterceptor>();
            options.MaxReceiveMessageSize = RequestBytesMax;
            options.MaxSendMessageSize = GrpcPeers.MessageBytesMax;
        });
        services.AddSingleton<ProblemInterceptor>();
        services.AddGrpcReflection();
        services.Configure<Microsoft.AspNetCore.Server.Kestrel.Core.KestrelServerOptions>(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(30);
            kestrel.Limits.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(10);
        });
    }
}
