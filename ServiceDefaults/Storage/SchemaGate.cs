using System.Reflection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>Brings the schema up to date when the service starts, and tells everybody when it is. The service is alive
/// meanwhile: with PostgreSQL away it keeps trying, requests answer Unavailable, and loops wait here.</summary>
public sealed class SchemaGate(
    NpgsqlDataSource source, MigrationSource migrations, TimeProvider time, ILogger<SchemaGate> logger)
    : BackgroundService
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Whether the schema is up to date.</summary>
    public bool IsReady => _ready.Task.IsCompletedSuccessfully;

    /// <summary>Waits until the schema is up to date.</summary>
    public Task ReadyAsync(CancellationToken ct) => _ready.Task.WaitAsync(ct);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var told = false;
        while (true)
        {
            try
            {
                await Migrations.RunAsync(source, migrations.Service, stoppingToken);
                _ready.TrySetResult();
                return;
            }
            catch (Exception e) when (DatabaseTrouble.IsAway(e.InnerException ?? e) || DatabaseTrouble.IsAway(e))
            {
                if (!told)
                {
                    logger.LogWarning("Waiting for PostgreSQL: {Reason}", e.Message);
                    told = true;
                }

                await Task.Delay(RetryAfter, time, stoppingToken);
            }
        }
    }
}

/// <summary>Where a service's migrations are embedded.</summary>
/// <param name="Service">The service's assembly.</param>
public sealed record MigrationSource(Assembly Service);
