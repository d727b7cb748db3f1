using Medallion.Threading;
using Medallion.Threading.Redis;
using Microsoft.Extensions.Logging;

namespace Cloud.ServiceDefaults.Supervision;

/// <summary>Leases in Redis: politeness between workers, so that two do not do the same step at once. They are tried
/// once, never waited for. They protect nothing: the row's version and epoch do (see
/// <see cref="Supervisor{TRow,TState}"/>). While Redis is away every try succeeds with a lease that says so, and the
/// claim in PostgreSQL takes its place.</summary>
public sealed class Leases(RedisLink redis, Checkpoints checkpoints, ILogger<Leases> logger)
{
    /// <summary>How long a lease outlives a worker that died with it. Renewed every few seconds while held.</summary>
    public static readonly TimeSpan Expiry = TimeSpan.FromSeconds(10);

    /// <summary>What must be left of a lease when Redis has answered; a slower answer counts as refused.</summary>
    private static readonly TimeSpan MinimumValidity = TimeSpan.FromSeconds(5);

    /// <summary>Takes the lease if it is free.</summary>
    /// <returns>Null when another worker has it.</returns>
    public async Task<Lease?> TryTakeAsync(string name, CancellationToken ct)
    {
        await checkpoints.PassAsync("lease.before", ct);
        var lease = await TryTakeInRedisAsync(name, ct);
        if (lease is null)
        {
            await checkpoints.PassAsync("lease.refused", ct);
            return null;
        }

        try
        {
            await checkpoints.PassAsync("lease.after", ct);
            return lease;
        }
        catch
        {
            await lease.DisposeAsync();
            throw;
        }
    }

    private async Task<Lease?> TryTakeInRedisAsync(string name, CancellationToken ct)
    {
        if (redis.Connected is not { } connection)
        {
            return new Lease(null, checkpoints, logger);
        }

        try
        {
            var @lock = new RedisDistributedLock(
                name, connection.GetDatabase(), options => options.Expiry(Expiry).MinValidityTime(MinimumValidity));
            var handle = await @lock.TryAcquireAsync(TimeSpan.Zero, ct);
            return handle is null ? null : new Lease(handle, checkpoints, logger);
        }
        catch (Exception e) when (RedisTrouble.IsAway(e))
        {
            logger.LogDebug(e, "Going on without a lease for {Lease}: Redis is away", name);
            return new Lease(null, checkpoints, logger);
        }
    }
}

/// <summary>A lease that is held; disposing gives it back.</summary>
public sealed class Lease : IAsyncDisposable
{
    private readonly IDistributedSynchronizationHandle? _handle;
    private readonly Checkpoints _checkpoints;
    private readonly ILogger _logger;

    internal Lease(IDistributedSynchronizationHandle? handle, Checkpoints checkpoints, ILogger logger)
    {
        _handle = handle;
        _checkpoints = checkpoints;
        _logger = logger;
        Lost = handle?.HandleLostToken ?? default;
    }

    /// <summary>Whether it stands in Redis; false while Redis is away.</summary>
    public bool InRedis => _handle is not null;

    /// <summary>Fires when the lease was lost: it ran out unrenewed, or somebody took it away.</summary>
    public CancellationToken Lost { get; }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // No token: giving a lease back is short, and must be tried when everything else was cancelled.
        await _checkpoints.PassAsync("lease.release", default);
        if (_handle is null)
        {
            return;
        }

        try
        {
            await _handle.DisposeAsync();
        }
        catch (Exception e) when (RedisTrouble.IsAway(e))
        {
            _logger.LogDebug(e, "Leaving a lease to run out: Redis is away");
        }
    }
}
