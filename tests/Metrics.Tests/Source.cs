using System.Reflection;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Cloud.Metrics.Tests;

/// <summary>
/// A service with an outbox and nothing else: real tables, real numbering and real delivery to a metrics service that
/// listens. It can be restarted, like any process.
/// </summary>
internal sealed class Source : IAsyncDisposable
{
    private static readonly TimeSpan LookAgainAfter = TimeSpan.FromMilliseconds(50);

    private readonly TestDatabase _database;
    private readonly RedisServer _redis;
    private WebApplication? _process;

    private Source(TestDatabase database, RedisServer redis, string name) =>
        (_database, _redis, Name) = (database, redis, name);

    public string Name { get; }

    public static async Task<Source> OpenAsync(string name, RedisServer redis, CancellationToken ct) => new(
        await PostgresServer.DatabaseAsync(
            "source", (source, token) => Migrations.RunAsync(source, Assembly.GetExecutingAssembly(), token), ct),
        redis,
        name);

    /// <summary>Starts the process.</summary>
    /// <param name="metrics">Settings that lead to the metrics service.</param>
    /// <param name="ct">Cuts it short.</param>
    public async Task StartAsync(IReadOnlyDictionary<string, string?> metrics, CancellationToken ct)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { EnvironmentName = "Testing" });
        builder.Configuration["ConnectionStrings:cloud-db"] = _database.ConnectionString;
        builder.Configuration["ConnectionStrings:redis"] = _redis.ConnectionString;
        foreach (var (key, value) in metrics)
        {
            builder.Configuration[key] = value;
        }

        builder.Logging.ClearProviders();
        builder.WebHost.UseTestServer();
        builder.AddServiceDefaults(Name, Assembly.GetExecutingAssembly());
        _process = builder.Build();
        await _process.StartAsync(ct);
        await _process.Services.GetRequiredService<SchemaGate>().ReadyAsync(ct);
    }

    public async Task StopAsync()
    {
        if (_process is { } process)
        {
            _process = null;
            await process.DisposeAsync();
        }
    }

    /// <summary>Something happens: so many events in one transaction each.</summary>
    public async Task HappenAsync(int count, CancellationToken ct)
    {
        var database = _process!.Services.GetRequiredService<Database>();
        for (var n = 0; n < count; n++)
        {
            await database.InTransactionAsync(
                (tx, token) => tx.AppendAsync(new ResourceEvent("thing", "things/a", EventTypes.Updated), token), ct);
        }
    }

    /// <summary>Changes the outbox behind the process's back.</summary>
    public async Task TamperAsync(string sql, CancellationToken ct)
    {
        await using var command = _database.Source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Waits until the process believes that events up to this one are in the feed.</summary>
    public async Task DeliveredAsync(long through, CancellationToken ct)
    {
        await using var command = _database.Source.CreateCommand("SELECT delivered_through FROM outbox_progress");
        while ((long)(await command.ExecuteScalarAsync(ct))! < through)
        {
            await Task.Delay(LookAgainAfter, TimeProvider.System, ct);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await _database.DisposeAsync();
    }
}
