using Cloud.Protos.Installation.V1;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Cloud.TestHost;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Npgsql;
using StackExchange.Redis;
using Xunit;
using Proto = Cloud.Protos.Installation.V1;

namespace Cloud.Installations.Tests.World;

/// <summary>The real installation service on a real PostgreSQL and Redis, with the rest of the cloud around
/// it.</summary>
internal sealed class InstallationSystem : IAsyncDisposable
{
    /// <summary>How long a test waits for something that does not come.</summary>
    // Longer than the slowest net under a lost word, the outbox's look of 30 s: a replica may die before it tells.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    private static readonly Lazy<RedisServer> SharedRedis = new(() => new RedisServer());

    private readonly List<ServiceHost<InstallationRules>> _replicas = [];
    private readonly SaveSignal _saves = new();
    private readonly ServiceHostOptions _options;
    private readonly WebApplication _peers;
    private readonly IConnectionMultiplexer _redis;
    private readonly TestDatabase _database;

    private InstallationSystem(
        ServiceHostOptions options, WebApplication peers, IConnectionMultiplexer redis, TestDatabase database,
        FakeTimeProvider? clock)
    {
        (_peers, _redis, _database, Clock) = (peers, redis, database, clock);
        _options = options with
        {
            Configure = services =>
            {
                services.AddSingleton<Checkpoints>(_saves);
                options.Configure?.Invoke(services);
            },
        };
        World = peers.Services.GetRequiredService<OutsideWorld>();
        AddReplica();
    }

    public OutsideWorld World { get; }

    /// <summary>Its processes; requests go to the first.</summary>
    public IReadOnlyList<ServiceHost<InstallationRules>> Replicas => _replicas;

    /// <summary>The clock's hands, when the test turns them; else the service goes by the real clock.</summary>
    public FakeTimeProvider? Clock { get; }

    public Proto.InstallationService.InstallationServiceClient Client => ClientOf(0);

    private static CancellationToken Cut => TestContext.Current.CancellationToken;

    /// <param name="fakeClock">Whether the test turns the hands of the clock.</param>
    /// <param name="configure">Last word on the service's container.</param>
    /// <param name="ownRedis">For a system that must hear no nudges of other systems; else they share one.</param>
    public static async Task<InstallationSystem> StartAsync(
        bool fakeClock = false, Action<IServiceCollection>? configure = null, RedisServer? ownRedis = null)
    {
        var redisServer = ownRedis ?? SharedRedis.Value;
        var redis = await ConnectionMultiplexer.ConnectAsync(redisServer.ConnectionString);
        var peers = await StartPeersAsync(new OutsideWorld(redis));
        var database = await PostgresServer.DatabaseAsync(
            "installation",
            (source, ct) => Migrations.RunAsync(source, typeof(InstallationRules).Assembly, ct),
            Cut);

        // Deadlines of calls are moments of the service's clock that libraries compare with the real one: it may be
        // ahead.
        var clock = fakeClock ? new FakeTimeProvider(TimeProvider.System.GetUtcNow()) : null;
        var options = ServiceHostOptions.For(database, redisServer).With(new Dictionary<string, string?>
        {
            ["services:cluster:grpc:0"] = peers.Urls.Single(),
            ["services:database-pool:grpc:0"] = peers.Urls.Single(),
            ["services:metrics:grpc:0"] = peers.Urls.Single(),
            ["Logging:LogLevel:Default"] = "Error",
            ["Logging:LogLevel:Cloud"] = "Error",
            ["Logging:LogLevel:Microsoft"] = "Error",
            ["Dns:Domains:0"] = "localhost",
            ["Dns:Domains:1"] = "example.com",
            ["Dns:UrlFormat"] = "http://{host}:8080/",
        }) with
        {
            Clock = clock,
            Configure = configure,
        };
        return new InstallationSystem(options, peers, redis, database, clock);
    }

    /// <summary>Another process of the same service, as in production.</summary>
    public void AddReplica()
    {
        var replica = new ServiceHost<InstallationRules>(_options);
        _replicas.Add(replica);
        _ = replica.Channel;
    }

    /// <summary>Another process, which has lost Redis; whoever starts it ends it.</summary>
    public ServiceHost<InstallationRules> WithoutRedis() => new(_options.With([new("ConnectionStrings:redis", "")]));

    public Proto.InstallationService.InstallationServiceClient ClientOf(int replica) => new(_replicas[replica].Channel);

    public T Service<T>()
        where T : notnull => _replicas[0].Services.GetRequiredService<T>();

    /// <summary>Asks for an installation under the default domain.</summary>
    public async Task<Proto.Installation> CreateAsync(string label) => await Client.CreateInstallationAsync(
        new CreateInstallationRequest { NameHint = label }, cancellationToken: Cut);

    public async Task<Proto.Installation> GetAsync(string name) =>
        await Client.GetInstallationAsync(new GetInstallationRequest { Name = name }, cancellationToken: Cut);

    /// <summary>A stable installation.</summary>
    public async Task<Proto.Installation> StableAsync(string label) =>
        await UntilAsync((await CreateAsync(label)).Name, "stable");

    public Task<Proto.Installation> UntilAsync(string name, string state) =>
        UntilAsync(name, i => i.State == state, state);

    /// <summary>Follows the watch stream until the installation is as wished.</summary>
    public async Task<Proto.Installation> UntilAsync(string name, Func<Proto.Installation, bool> isSo, string wish)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cut);
        patience.CancelAfter(Patience);
        await using var ticking = new Ticking(Clock);
        var request = new WatchInstallationsRequest { Filter = new Proto.InstallationFilter { ShowDeleted = true } };
        using var stream = Client.WatchInstallations(request, cancellationToken: patience.Token);
        try
        {
            await foreach (var message in stream.ResponseStream.ReadAllAsync(patience.Token))
            {
                if (message.Installation is { } seen && seen.Name == name && isSo(seen))
                {
                    return seen;
                }
            }
        }
        catch (Exception e) when (patience.IsCancellationRequested && !Cut.IsCancellationRequested)
        {
            throw new TimeoutException(
                $"{name} did not become '{wish}'. Events: {string.Join(" | ", await StatesOfAsync(name))}. "
                + $"Calls: {string.Join(" | ", World.Log.TakeLast(20))}. Now: {await GetAsync(name)}", e);
        }

        throw new InvalidOperationException("The stream ended by itself.");
    }

    /// <summary>Waits until the row says what it waits for or what failed. Neither is an event; a save is the
    /// signal.</summary>
    public async Task<Proto.Installation> UntilWaitingAsync(string name, string words)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cut);
        patience.CancelAfter(Patience);
        await using var ticking = new Ticking(Clock);
        while (true)
        {
            var saved = _saves.Next;
            var row = await GetAsync(name);
            var says = row.Progress.WaitingFor + row.Progress.LastError?.Message;
            if (says.Contains(words, StringComparison.Ordinal))
            {
                return row;
            }

            await saved.WaitAsync(patience.Token);
        }
    }

    /// <summary>Every state it was in, from its events, in the order of the feed.</summary>
    public async Task<IReadOnlyList<string>> StatesOfAsync(string name)
    {
        var states = await QueryAsync(
            """
            SELECT new_state FROM outbox WHERE resource = $1 AND new_state IS DISTINCT FROM old_state ORDER BY position
            """,
            name);
        return [.. states.Cast<string>()];
    }

    /// <summary>The first column of what a query answers.</summary>
    public async Task<IReadOnlyList<object>> QueryAsync(string sql, params object[] values)
    {
        await using var command = _database.Source.CreateCommand(sql);
        foreach (var value in values)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        }

        await using var reader = await command.ExecuteReaderAsync(Cut);
        var answers = new List<object>();
        while (await reader.ReadAsync(Cut))
        {
            answers.Add(reader.GetValue(0));
        }

        return answers;
    }

    public async ValueTask DisposeAsync()
    {
        World.Open();
        foreach (var replica in _replicas)
        {
            await replica.DisposeAsync();
        }

        await _peers.DisposeAsync();
        await _redis.DisposeAsync();
        await _database.DisposeAsync();
    }

    private static async Task<WebApplication> StartPeersAsync(OutsideWorld world)
    {
        var builder = WebApplication.CreateSlimBuilder();
        // The settings of the service under test lie beside the tests; they are not the peers'.
        builder.Configuration.Sources.Clear();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
            kestrel.Listen(System.Net.IPAddress.Loopback, 0, endpoint => endpoint.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(world);
        var app = builder.Build();
        app.MapGrpcService<PlacementSide>();
        app.MapGrpcService<ClusterInstallationSide>();
        app.MapGrpcService<ClustersSide>();
        app.MapGrpcService<DatabaseSide>();
        app.MapGrpcService<EventSide>();
        await app.StartAsync(Cut);
        return app;
    }
}

/// <summary>Tells when a step's outcome was saved.</summary>
internal sealed class SaveSignal : Checkpoints
{
    private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes with the next save.</summary>
    public Task Next => Volatile.Read(ref _next).Task;

    public override ValueTask PassAsync(string place, CancellationToken ct)
    {
        if (place == "save.after")
        {
            Interlocked.Exchange(ref _next, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
        }

        return ValueTask.CompletedTask;
    }
}

/// <summary>Lets a clock whose hands the test turns go on slowly while something is awaited: a step that a leap of the
/// clock cut off is tried again a second later, and somebody has to bring that second.</summary>
internal sealed class Ticking : IAsyncDisposable
{
    private static readonly TimeSpan Every = TimeSpan.FromMilliseconds(100);

    private readonly PeriodicTimer _timer = new(Every);
    private readonly Task _ticks;

    public Ticking(FakeTimeProvider? clock) => _ticks = clock is null ? Task.CompletedTask : TickAsync(clock);

    public async ValueTask DisposeAsync()
    {
        _timer.Dispose();
        await _ticks;
    }

    private async Task TickAsync(FakeTimeProvider clock)
    {
        while (await _timer.WaitForNextTickAsync())
        {
            clock.Advance(TimeSpan.FromSeconds(1));
        }
    }
}
