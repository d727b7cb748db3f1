using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace Cloud.ServiceDefaults.Hosting;

/// <summary>Without PostgreSQL, or before its schema is up to date, the service cannot serve.</summary>
internal sealed class PostgresCheck(NpgsqlDataSource source, SchemaGate schema) : IHealthCheck
{
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(2);

    public async Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(AnswerWithin);
            await using var command = source.CreateCommand("SELECT 1");
            await command.ExecuteScalarAsync(limit.Token);
            return schema.IsReady
                ? HealthCheckResult.Healthy()
                : HealthCheckResult.Unhealthy("The schema is being brought up to date.");
        }
        catch (Exception e) when (e is OperationCanceledException || DatabaseTrouble.IsAway(e))
        {
            return HealthCheckResult.Unhealthy($"PostgreSQL does not answer: {DatabaseTrouble.Words(e)}");
        }
    }
}

/// <summary>Without Redis the service serves, but replicas hear of each other's changes later.</summary>
internal sealed class RedisCheck(RedisLink redis) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(redis.Connected is not null
            ? HealthCheckResult.Healthy()
            : HealthCheckResult.Degraded(
                "Redis does not answer: leases and nudges fall back to PostgreSQL and the sweep."));
}

/// <summary>A service that stops hands its work over and takes no more.</summary>
internal sealed class StoppingCheck(IHostApplicationLifetime lifetime) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(lifetime.ApplicationStopping.IsCancellationRequested
            ? HealthCheckResult.Unhealthy("The service is stopping; another replica takes over.")
            : HealthCheckResult.Healthy());
}

/// <summary>A loop that pauses, because what it needs fails, keeps its work waiting.</summary>
internal sealed class LoopCheck(LoopHealth loops) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var paused = loops.Paused;
        return Task.FromResult(paused.Count == 0
            ? HealthCheckResult.Healthy()
            : HealthCheckResult.Degraded("These loops pause: " + string.Join("; ", paused.Select(Words))));
    }

    private static string Words(PausedLoop loop) => $"{loop.Name} since {loop.Since:u} ({loop.Reason})";
}
