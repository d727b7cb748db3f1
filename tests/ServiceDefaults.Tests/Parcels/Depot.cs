using System.Reflection;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Cloud.TestHost;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Npgsql;
using StackExchange.Redis;

namespace Cloud.ServiceDefaults.Tests.Parcels;

/// <summary>A database, a Redis and a clock that several processes of the parcel service share.</summary>
public sealed class Depot : IAsyncDisposable
{
    private const string Saved = "save.after";

    private static readonly TimeSpan TickReal = TimeSpan.FromMilliseconds(20);

    private readonly List<ParcelProcess> _processes = [];
    private readonly TestDatabase _database;

    private Depot(TestDatabase database, RedisServer redis)
    {
        _database = database;
        Redis = redis;
    }

    public FakeTimeProvider Clock { get; } = new(new DateTimeOffset(2031, 5, 6, 7, 8, 9, TimeSpan.Zero));

    public PostOffice Post { get; } = new();

    public RedisServer Redis { get; }

    public NpgsqlDataSource Source => _database.Source;

    /// <summary>A depot on a database of its own on the shared server.</summary>
    public static async Task<Depot> OpenAsync(CancellationToken ct)
    {
        var database = await PostgresServer.DatabaseAsync(
            "parcels", (source, token) => Migrations.RunAsync(source, Assembly.GetExecutingAssembly(), token), ct);
        return new Depot(database, new RedisServer());
    }

    /// <summary>A depot on a database of a server that the test stops and starts itself.</summary>
    public static Depot OpenOn(TestDatabase database) => new(database, new RedisServer());

    /// <summary>Starts a process of the service; null checkpoints are harmless ones that only count.</summary>
    public async Task<ParcelProcess> StartAsync(
        CancellationToken ct,
        FaultPoints? faults = null,
        Action<SupervisorOptions<Parcel>>? limits = null,
        Action<IServiceCollection>? configure = null,
        Action<WebApplication>? map = null)
    {
        var process = await StartUnreadyAsync(ct, faults, limits, configure, map);
        await process.Services.GetRequiredService<SchemaGate>().ReadyAsync(ct);
        return process;
    }

    /// <summary>As <see cref="StartAsync"/>, without waiting for the schema.</summary>
    public async Task<ParcelProcess> StartUnreadyAsync(
        CancellationToken ct,
        FaultPoints? faults = null,
        Action<SupervisorOptions<Parcel>>? limits = null,
        Action<IServiceCollection>? configure = null,
        Action<WebApplication>? map = null)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { EnvironmentName = "Testing" });
        builder.Configuration["ConnectionStrings:cloud-db"] = _database.ConnectionString;
        builder.Configuration["ConnectionStrings:redis"] = Redis.ConnectionString;
        builder.Logging.ClearProviders();
        builder.WebHost.UseTestServer();
        faults ??= new FaultPoints();
        builder.Services.AddSingleton<TimeProvider>(Clock);
        builder.Services.AddSingleton<Checkpoints>(faults);
        builder.Services.AddSingleton(Post);
        configure?.Invoke(builder.Services);
        builder.AddServiceDefaults("metrics", Assembly.GetExecutingAssembly());
        builder.Services.AddSupervisor<Parcel, ParcelState, ParcelStore, ParcelRules>(limits);
        var app = builder.Build();
        app.MapServiceDefaults();
        map?.Invoke(app);
        var process = new ParcelProcess(app, faults, this);
        _processes.Add(process);
        await app.StartAsync(ct);
        return process;
    }

    /// <summary>The row as PostgreSQL has it.</summary>
    public async Task<Parcel?> FindAsync(string id, CancellationToken ct)
    {
        await using var command = Source.CreateCommand(
            $"SELECT {RowMap<Parcel>.ColumnList} FROM parcels WHERE id = $1");
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = id });
        await using var reader = await command.ExecuteReaderAsync(ct);
        return (await RowMap<Parcel>.ReadAllAsync(reader, ct)).SingleOrDefault();
    }

    /// <summary>Waits until a row satisfies a condition, looking whenever any process has saved something.</summary>
    public async Task<Parcel> UntilAsync(string id, Func<Parcel, bool> condition, CancellationToken ct)
    {
        while (true)
        {
            using var looked = CancellationTokenSource.CreateLinkedTokenSource(ct);
            var saved = _processes.Select(p => p.Faults)
                .Select(faults => faults.PassedAsync(Saved, faults.TimesPassed(Saved) + 1, looked.Token)).ToList();
            if (await FindAsync(id, ct) is { } parcel && condition(parcel))
            {
                await looked.CancelAsync();
                return parcel;
            }

            await await Task.WhenAny(saved);
            await looked.CancelAsync();
        }
    }

    /// <summary>Turns the clock in small steps until something has happened, for what begins to wait at a moment that
    /// the test cannot know.</summary>
    public async Task TurnClockUntilAsync(Task happened, TimeSpan step, CancellationToken ct)
    {
        while (await Task.WhenAny(happened, Task.Delay(TickReal, TimeProvider.System, ct)) != happened)
        {
            Clock.Advance(step);
        }

        await happened;
    }

    /// <summary>As above, for what nobody signals.</summary>
    public Task TurnClockUntilAsync(Func<bool> happened, TimeSpan step, CancellationToken ct) =>
        TurnClockUntilAsync(() => Task.FromResult(happened()), step, ct);

    /// <summary>As above, for what must be looked up.</summary>
    public async Task TurnClockUntilAsync(Func<Task<bool>> happened, TimeSpan step, CancellationToken ct)
    {
        while (!await happened())
        {
            await Task.Delay(TickReal, TimeProvider.System, ct);
            Clock.Advance(step);
        }
    }

    /// <summary>Runs SQL as the service's own role.</summary>
    public async Task ExecuteAsync(string sql, CancellationToken ct)
    {
        await using var command = Source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>A row that nobody is told about, as after a crash between commit and nudge.</summary>
    public async Task<Parcel> InsertSilentlyAsync(Parcel parcel, CancellationToken ct)
    {
        var row = parcel with
        {
            CreateTime = Clock.GetUtcNow(),
            StateSince = Clock.GetUtcNow(),
            NextAttemptAt = parcel.NextAttemptAt is null ? null : Clock.GetUtcNow(),
        };
        var columns = RowMap<Parcel>.Columns;
        var values = string.Join(", ", columns.Select((_, n) => $"${n + 1}"));
        await using var command = Source.CreateCommand(
            $"INSERT INTO parcels ({RowMap<Parcel>.ColumnList}) VALUES ({values})");
        for (var n = 0; n < columns.Count; n++)
        {
            command.Parameters.Add(RowMap<Parcel>.Parameter(row, n));
        }

        await command.ExecuteNonQueryAsync(ct);
        return row;
    }

    /// <summary>The states a parcel went through, as the feed tells them.</summary>
    public async Task<IReadOnlyList<string>> HistoryAsync(string id, CancellationToken ct)
    {
        await using var command = Source.CreateCommand(
            "SELECT new_state FROM outbox WHERE resource = $1 ORDER BY position");
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = "parcels/" + id });
        await using var reader = await command.ExecuteReaderAsync(ct);
        var states = new List<string>();
        while (await reader.ReadAsync(ct))
        {
            states.Add(reader.GetString(0));
        }

        return states;
    }

    /// <summary>What time does to the lease of a dead process: it runs out.</summary>
    public async Task LeaseRunsOutAsync(string id)
    {
        using var redis = await ConnectionMultiplexer.ConnectAsync(Redis.ConnectionString);
        await redis.GetDatabase().KeyDeleteAsync("parcel:" + id);
    }

    /// <summary>Another process's lease.</summary>
    public async Task StealLeaseAsync(string id)
    {
        using var redis = await ConnectionMultiplexer.ConnectAsync(Redis.ConnectionString);
        await redis.GetDatabase().StringSetAsync("parcel:" + id, "somebody else");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
        {
            await process.DisposeAsync();
        }

        Redis.Dispose();
        await _database.DisposeAsync();
    }
}

/// <summary>One process of the parcel service.</summary>
public sealed class ParcelProcess(WebApplication app, FaultPoints faults, Depot depot) : IAsyncDisposable
{
    private bool _disposed;

    public FaultPoints Faults => faults;

    public IServiceProvider Services => app.Services;

    public HttpMessageHandler Handler => app.GetTestServer().CreateHandler();

    public ParcelStore Store => app.Services.GetRequiredService<ParcelStore>();

    public Database Database => app.Services.GetRequiredService<Database>();

    /// <summary>Waits until a row satisfies a condition, looking whenever any process has saved something.</summary>
    public Task<Parcel> UntilAsync(string id, Func<Parcel, bool> condition, CancellationToken ct) =>
        depot.UntilAsync(id, condition, ct);

    /// <summary>Waits for a state.</summary>
    public Task<Parcel> UntilAsync(string id, ParcelState state, CancellationToken ct) =>
        UntilAsync(id, parcel => parcel.State == state, ct);

    /// <summary>Nudges a row from here.</summary>
    public Task NudgeAsync(string id, CancellationToken ct) =>
        app.Services.GetRequiredService<INudges>().SendAsync(new Nudge("parcel", id), ct);

    /// <summary>Waits until this process hears nudges of others.</summary>
    public async Task HearsOthersAsync(CancellationToken ct)
    {
        using var outside = await ConnectionMultiplexer.ConnectAsync(depot.Redis.ConnectionString);
        var heard = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var noun = "probe-" + ResourceId.New();
        using var probe = app.Services.GetRequiredService<INudges>().Subscribe(noun, _ => heard.TrySetResult());
        while (!heard.Task.IsCompleted)
        {
            // Answered with the number of listeners: once there is one, the message is on its way.
            if (await outside.GetDatabase().PublishAsync(RedisChannel.Literal("nudge:" + noun), "probe") > 0)
            {
                await heard.Task.WaitAsync(ct);
            }

            await Task.Yield();
            ct.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Sends a parcel from here and waits until it is delivered; the loop has then also seen all that was due
    /// before.</summary>
    public async Task<Parcel> DeliverAsync(string address, CancellationToken ct)
    {
        var parcel = await Store.AddAsync(Parcel.To(address), ct);
        return await UntilAsync(parcel.Id, ParcelState.Delivered, ct);
    }

    /// <summary>Stops it as SIGTERM does.</summary>
    public Task StopAsync(CancellationToken ct) => app.StopAsync(ct);

    public async ValueTask DisposeAsync()
    {
        if (!_disposed)
        {
            _disposed = true;
            await app.DisposeAsync();
        }
    }
}
