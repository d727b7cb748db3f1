using System.Collections.Concurrent;
using Cloud.Providers;
using Cloud.Watching;

namespace Cloud.Clusters;

/// <summary>
/// Keeps one <see cref="ClusterWatch"/> per live cluster, and what they see of capacity and reachability in the rows.
/// <para>Every replica watches every cluster: what they do about it is idempotent, so none has to be elected and none
/// is missed when it dies; a watch that tells nothing costs next to nothing, and every replica answers from its own
/// caches. Writing is restrained: a view is written when it changed, and once a minute if the row says
/// something else, so that replicas that see the same write once.</para>
/// <para>Failures. A cluster that is silent: its own tasks retry; the row says so after the first failure. A kubeconfig
/// that changed: its watch is replaced. One that cannot be decrypted: the row says that the cluster is not reachable.
/// PostgreSQL away, or a row that a newer release wrote: tried again at the next look. A lost nudge: the look every
/// half minute finds new and changed clusters.</para>
/// </summary>
public sealed class ClusterWatches(
    ClusterStore clusters,
    ClusterConnections connections,
    Observing observing,
    INudges nudges,
    SchemaGate schema,
    TimeProvider time,
    ILoggerFactory loggers) : BackgroundService
{
    /// <summary>Nudged when a cluster's row changed: other than the supervisor's noun, so that its steps do not
    /// rerun.</summary>
    public const string Noun = "cluster-watch";

    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(30);

    private readonly ILogger<ClusterWatches> _log = loggers.CreateLogger<ClusterWatches>();
    private readonly ConcurrentDictionary<string, Watched> _watched = new(StringComparer.Ordinal);
    private readonly Pulse _look = new(time);

    /// <summary>An object of the cluster installation with that id changed in its cluster.</summary>
    public event Action<string>? InstallationTouched;

    /// <summary>A cluster's namespaces and resources are known completely, for the first time since its watch
    /// began.</summary>
    public event Action<ClusterWatch>? Synced;

    /// <summary>What a cluster holds; null when it is not watched (yet).</summary>
    public ClusterWatch? Find(string clusterId) => _watched.GetValueOrDefault(clusterId)?.Watch;

    /// <summary>Clusters that have no watch because none can be begun, and why.</summary>
    public IReadOnlyList<Unwatchable> Unwatchable { get; private set; } = [];

    /// <summary>All watches that run.</summary>
    public IReadOnlyList<ClusterWatch> All => [.. _watched.Values.Select(w => w.Watch)];

    public override void Dispose()
    {
        _look.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await schema.ReadyAsync(stoppingToken);
        RequestContext.Current = new RequestContext(RequestContext.SupervisorActor, null);
        using var hearing = nudges.Subscribe(Noun, _ => _look.Raise());
        try
        {
            while (true)
            {
                await LookAsync(stoppingToken);
                _look.RaiseAt(time.GetUtcNow() + LookEvery);
                await _look.WaitAsync(stoppingToken);
            }
        }
        finally
        {
            foreach (var id in _watched.Keys) await EndAsync(id);
        }
    }

    private async Task LookAsync(CancellationToken stopping)
    {
        try
        {
            var live = await clusters.LiveAsync(stopping);
            foreach (var gone in _watched.Keys.Except(live.Select(c => c.Id)).ToList())
            {
                await EndAsync(gone);
                connections.Forget(gone);
            }
            var unwatchable = new List<Unwatchable>();
            foreach (var cluster in live)
            {
                if (await KeepAsync(cluster, stopping) is { } why)
                    unwatchable.Add(new Unwatchable(cluster.DisplayName, why));
            }
            Unwatchable = unwatchable;
        }
        catch (Exception e) when (!e.IsStop(stopping))
        {
            // Whatever it is, such as a state that only a newer release knows: the process would end with this loop.
            _log.LogWarning(
                DatabaseTrouble.IsAway(e) ? null : e, "Looking for clusters again later: {Reason}", e.Message);
        }
    }

    /// <returns>Why it cannot be watched; null when it is.</returns>
    private async Task<string?> KeepAsync(Cluster cluster, CancellationToken stopping)
    {
        if (_watched.TryGetValue(cluster.Id, out var watched)
            && (watched.Watch.Revision != cluster.KubeconfigRevision || watched.Running.IsCompleted))
        {
            await EndAsync(cluster.Id);
            watched = null;
        }
        try
        {
            watched ??= _watched[cluster.Id] = Begin(cluster, stopping);
        }
        catch (StepException e)
        {
            _log.LogError("Not watching {Cluster}: {Code}: {Message}", cluster.DisplayName, e.Code, e.Message);
            await observing.GiveUpAsync(cluster.Id, e.Message.TrimEnd('.'), stopping);
            return e.Message;
        }
        if (cluster.ProvisionTime is not null) watched.Watch.FollowResources();
        if (cluster.State == ClusterState.Stable) await MendAsync(cluster, watched.Watch, stopping);
        return null;
    }

    private Watched Begin(Cluster cluster, CancellationToken stopping)
    {
        _log.LogInformation("Watching {Cluster} at {Server}", cluster.DisplayName, cluster.Server);
        var watch = new ClusterWatch(cluster, connections.To(cluster), time, loggers.CreateLogger<ClusterWatch>());
        watch.Touched += id => InstallationTouched?.Invoke(id);
        watch.OperatorTouched += OnOperatorTouched;
        var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        return new Watched(watch, ending, RunAsync(watch, cluster.DisplayName, ending.Token));
    }

    private async Task RunAsync(ClusterWatch watch, string displayName, CancellationToken ct)
    {
        try
        {
            await Siblings.Run(
                ct,
                watch.RunAsync,
                ending => observing.RunAsync(watch, ending),
                ending => AnnounceAsync(watch, ending));
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // Ended on purpose.
        }
        catch (Exception e)
        {
            _log.LogError(e, "Losing the watch of {Cluster}; it begins anew at the next look", displayName);
        }
    }

    private async Task AnnounceAsync(ClusterWatch watch, CancellationToken ct)
    {
        await watch.WhenSyncedAsync(ct);
        Synced?.Invoke(watch);
    }

    private void OnOperatorTouched(ClusterWatch watch)
    {
        _ = nudges.SendAsync(new Nudge(Cluster.Noun, watch.ClusterId), default);
        if (watch.HasOperator == false) _look.Raise();
    }

    /// <summary>A stable cluster without its operator is provisioned again, and so is one that was imported before
    /// clusters were told apart by their UID.</summary>
    private async Task MendAsync(Cluster cluster, ClusterWatch watch, CancellationToken ct)
    {
        if (watch.HasOperator == false)
            await clusters.ReprovisionAsync(cluster.Id, "the operator's Deployment is gone from the cluster", ct);
        else if (cluster.Uid is null)
            await clusters.ReprovisionAsync(cluster.Id, "which cluster it is was never asked", ct);
    }

    private async Task EndAsync(string clusterId)
    {
        if (!_watched.TryRemove(clusterId, out var watched)) return;
        await watched.Ending.CancelAsync();
        await watched.Running;
        watched.Ending.Dispose();
        watched.Watch.Seen.Dispose();
    }

    private sealed record Watched(ClusterWatch Watch, CancellationTokenSource Ending, Task Running);
}

/// <summary>A cluster that cannot be watched.</summary>
public readonly record struct Unwatchable(string DisplayName, string Why);
