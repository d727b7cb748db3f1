using Cloud.Operator.Reconciling;
using Cloud.Watching;
using k8s.Models;

namespace Cloud.Operator.Leading;

/// <summary>
/// Lets one copy of the operator work at a time, by a Lease that the holder renews. The name of the Lease is that of
/// the predecessor, so that the two never work at once.
/// </summary>
/// <remarks>
/// Guarantees: the work is cancelled at the latest <see cref="RenewDeadline"/> after the last renewal that the API
/// server confirmed began, which is before another copy may take over (<see cref="Duration"/> after it last saw the
/// Lease change, by its own clock: clocks are never compared). A new term begins when the work of the last has ended.
/// Failures: a renewal that fails for any reason is tried again until that deadline; trouble while waiting to lead
/// only delays. A holder that ends in order gives the Lease back by an empty name; a killed one costs
/// <see cref="Duration"/>. As with any lease, a process that stalls longer than the deadline may still have one request
/// under way when it wakes; requests are guarded by versions and idempotent. A copy that lost the Lease stands for it
/// again and keeps what it knows: programs that end and list everything anew, because a slow API server made them lose
/// it, make that server slower.
/// </remarks>
public sealed class Elector(KubernetesApi api, OperatorOptions options, TimeProvider time, ILogger<Elector> log)
{
    public const string LeaseName = "b78a986e.mattermost.com";

    public static readonly TimeSpan Duration = TimeSpan.FromSeconds(15);
    public static readonly TimeSpan RenewDeadline = TimeSpan.FromSeconds(10);

    /// <summary>How often a candidate looks, and a holder retries.</summary>
    private static readonly TimeSpan RetryPeriod = TimeSpan.FromSeconds(2);

    /// <summary>
    /// How often a holder renews: twice within the deadline, and no more, because an idle operator is to be idle.
    /// </summary>
    private static readonly TimeSpan RenewPeriod = TimeSpan.FromSeconds(4);

    /// <summary>How long one try may take, so that a connection that hangs leaves time for another.</summary>
    private static readonly TimeSpan AttemptTimeout = RenewDeadline / 2;

    private static readonly TimeSpan ReleaseTimeout = TimeSpan.FromSeconds(2);

    private readonly string _identity = options.Instance;
    private readonly ObjectKey _key = new(options.Namespace, LeaseName);

    private V1Lease? _held;
    private string? _lastTrouble;
    private string? _seenVersion;
    private long _seenAt;

    /// <summary>True while the work runs.</summary>
    public bool IsLeading { get; private set; }

    /// <summary>Runs the work whenever this copy leads (at once when there is no election), until cancelled or until
    /// the work ends.</summary>
    public async Task Lead(Func<CancellationToken, Task> work, CancellationToken cancellation)
    {
        if (!options.EnableLeaderElection)
        {
            IsLeading = true;
            await work(cancellation);
            return;
        }

        long taken;
        do
        {
            log.LogInformation("Standing for {Lease} as {Identity}", _key, _identity);
            taken = await Take(cancellation);
            log.LogInformation("Leading by {Lease}", _key);
            _lastTrouble = null;
        }
        while (await Serve(taken, work, cancellation));
    }

    /// <returns>When the attempt began that took it: the server may have written it any time since.</returns>
    private async Task<long> Take(CancellationToken cancellation)
    {
        while (true)
        {
            var attempt = time.GetTimestamp();
            if (await TryHold(AttemptTimeout, cancellation))
            {
                return attempt;
            }

            await Task.Delay(RetryPeriod, time, cancellation);
        }
    }

    /// <summary>One term.</summary>
    /// <returns>True when the Lease was lost; false when the work ended by itself.</returns>
    private async Task<bool> Serve(
        long taken, Func<CancellationToken, Task> work, CancellationToken cancellation)
    {
        using var term = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        IsLeading = true;
        var working = work(term.Token);
        var holding = HoldUntilLost(taken, term.Token);
        var lost = false;
        try
        {
            var first = await Task.WhenAny(working, holding);
            await first;
            lost = first == holding;
        }
        finally
        {
            IsLeading = false;
            await term.CancelAsync();
            await Task.WhenAll(working, holding).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!lost)
            {
                await Release();
            }
        }

        return lost;
    }

    private async Task HoldUntilLost(long renewed, CancellationToken cancellation)
    {
        var wait = RenewPeriod;
        while (time.GetElapsedTime(renewed) < RenewDeadline)
        {
            await Task.Delay(wait, time, cancellation);
            var attempt = time.GetTimestamp();
            var left = RenewDeadline - time.GetElapsedTime(renewed);
            var held = await TryHold(left < AttemptTimeout ? left : AttemptTimeout, cancellation);
            cancellation.ThrowIfCancellationRequested();
            (renewed, wait) = held ? (attempt, RenewPeriod) : (renewed, RetryPeriod);
        }

        log.LogWarning("Losing {Lease}: it could not be renewed for {Deadline}", _key, RenewDeadline);
    }

    /// <summary>Takes or renews the Lease if that is possible; false for any reason why not.</summary>
    private async Task<bool> TryHold(TimeSpan within, CancellationToken ending)
    {
        using var limit = new CancellationTokenSource(Positive(within), time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ending, limit.Token);
        var cancellation = either.Token;
        try
        {
            // Whoever holds it knows it as it is, unless somebody took it.
            var lease = _held ?? await api.Find(ResourceKinds.Leases, _key, cancellation);
            _held = null;
            if (lease is null)
            {
                _held = await api.Create(ResourceKinds.Leases, Written(new V1Lease
                {
                    Metadata = new V1ObjectMeta { Name = _key.Name, NamespaceProperty = _key.Namespace },
                    Spec = new V1LeaseSpec(),
                }), Children.FieldManager, cancellation);
                return true;
            }

            if (!MayTake(lease))
            {
                return false;
            }

            lease.Spec ??= new V1LeaseSpec();
            _held = await api.Replace(ResourceKinds.Leases, Written(lease), Children.FieldManager, cancellation);
            return true;
        }
        catch (KubernetesApiException e)
        {
            Tell(e.Message);
            return false;
        }
        catch (OperationCanceledException)
        {
            if (!ending.IsCancellationRequested)
            {
                Tell("the API server does not answer in time");
            }

            return false;
        }
    }

    /// <summary>The same trouble again is not news.</summary>
    private void Tell(string trouble)
    {
        log.Log(
            trouble == _lastTrouble ? LogLevel.Debug : LogLevel.Warning,
            "Not getting hold of {Lease}: {Message}", _key, trouble);
        _lastTrouble = trouble;
    }

    private bool MayTake(V1Lease lease)
    {
        var holder = lease.Spec?.HolderIdentity;
        if (string.IsNullOrEmpty(holder) || holder == _identity)
        {
            return true;
        }

        if (_seenVersion != lease.Metadata.ResourceVersion)
        {
            (_seenVersion, _seenAt) = (lease.Metadata.ResourceVersion, time.GetTimestamp());
        }

        var term = TimeSpan.FromSeconds(lease.Spec!.LeaseDurationSeconds ?? Duration.TotalSeconds);
        return time.GetElapsedTime(_seenAt) >= term;
    }

    private V1Lease Written(V1Lease lease)
    {
        var now = time.GetUtcNow().UtcDateTime;
        if (lease.Spec.HolderIdentity != _identity)
        {
            lease.Spec.AcquireTime = now;
            lease.Spec.LeaseTransitions = lease.Spec.LeaseTransitions is { } count ? count + 1 : 0;
        }

        lease.Spec.HolderIdentity = _identity;
        lease.Spec.RenewTime = now;
        lease.Spec.LeaseDurationSeconds = (int)Duration.TotalSeconds;
        return lease;
    }

    /// <summary>An empty name, not an absent one: that is what every kind of candidate understands.</summary>
    private async Task Release()
    {
        using var deadline = new CancellationTokenSource(ReleaseTimeout, time);
        try
        {
            if (await api.Find(ResourceKinds.Leases, _key, deadline.Token) is { } lease
                && lease.Spec?.HolderIdentity == _identity)
            {
                lease.Spec.HolderIdentity = "";
                lease.Spec.LeaseDurationSeconds = 1;
                await api.Replace(ResourceKinds.Leases, lease, Children.FieldManager, deadline.Token);
            }
        }
        catch (Exception e) when (e is KubernetesApiException or OperationCanceledException)
        {
            log.LogWarning("Leaving {Lease} to run out: {Message}", _key, e.Message);
        }
    }

    private static TimeSpan Positive(TimeSpan span) => span > TimeSpan.Zero ? span : TimeSpan.FromMilliseconds(1);
}
