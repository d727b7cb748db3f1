using System.Reflection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>Brings the schema up to date when the service starts, and tells everybody when it is. The service is alive
/// meanwhile: whatever is in the way, PostgreSQL away or a migration that fails, it keeps trying and says so in log and
/// health; requests answer Unavailable, and loops wait here.</summary>
public sealed class SchemaGate(
    NpgsqlDataSource source,
    MigrationSource migrations,
    LoopHealth health,
    TimeProvider time,
    ILogger<SchemaGate> logger) : BackgroundService
{
    private static readonly TimeSpan RetryFirst = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetryLongest = TimeSpan.FromSeconds(5);

    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Whether the schema is up to date.</summary>
    public bool IsReady => _ready.Task.IsCompletedSuccessfully;

    /// <summary>Waits until the schema is up to date.</summary>
    public Task ReadyAsync(CancellationToken ct) => _ready.Task.WaitAsync(ct);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var pause = new LoopPause("schema", RetryFirst, RetryLongest, health, time, logger);
        while (true)
        {
            try
            {
                await Migrations.RunAsync(source, migrations.Service, stoppingToken);
                pause.End();
                _ready.TrySetResult();
                return;
            }
            catch (Exception e) when (!e.IsStop(stoppingToken))
            {
                await Task.Delay(pause.Begin(e), time, stoppingToken);
            }
        }
    }
}

/// <summary>Where a service's migrations are embedded.</summary>
/// <param name="Service">The service's assembly.</param>
public sealed record MigrationSource(Assembly Service);
