using Cloud.Clusters;
using Cloud.Providers;
using Cloud.Watching;

namespace Cloud.ClusterInstallations;

/// <summary>
/// Compares what clusters show with what rows say, when something in a cluster changed. A row that is being worked on
/// is nudged when it can go on. A row at rest whose namespace or resource is gone, changed by another hand, or reported
/// as no longer stable goes back to reconciling. A namespace whose row is deleted (made by a worker that slept through
/// the deletion) is removed.
/// <para>Guarantees: every change that a watch shows is looked at after it is in the cache; objects that went away
/// unseen are found when a watch begins. Caches lag behind, so before a row at rest is touched the API server itself is
/// asked. Failures: the id is looked at again with back-off.</para>
/// </summary>
public sealed class Drift(
    ClusterWatches watches,
    ClusterStore clusters,
    ClusterInstallationStore store,
    WorkspaceObjects objects,
    INudges nudges,
    SchemaGate schema,
    TimeProvider time,
    ILogger<Drift> log) : BackgroundService
{
    private const int LooksAtOnce = 4;

    private readonly WorkQueue<Suspicion> _queue = new(time);

    public override void Dispose()
    {
        _queue.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await schema.ReadyAsync(stoppingToken);
        RequestContext.Current = new RequestContext(RequestContext.SupervisorActor, null);
        watches.InstallationTouched += id => _queue.Add(new Suspicion(id, Cluster: false));
        watches.Synced += watch => _queue.Add(new Suspicion(watch.ClusterId, Cluster: true));
        foreach (var watch in watches.All) _queue.Add(new Suspicion(watch.ClusterId, Cluster: true));
        await Task.WhenAll(Enumerable.Range(0, LooksAtOnce).Select(_ => WorkAsync(stoppingToken)));
    }

    private async Task WorkAsync(CancellationToken stopping)
    {
        while (true)
        {
            var suspicion = await _queue.Take(stopping);
            try
            {
                if (suspicion.Cluster) await SweepAsync(suspicion.Id, stopping);
                else await LookAsync(suspicion.Id, stopping);
                _queue.Forget(suspicion);
            }
            catch (Exception e) when (!e.IsStop(stopping))
            {
                // Whatever it is, such as a state that only a newer release knows: a worker that ends is not replaced.
                var wait = _queue.Retry(suspicion);
                log.LogWarning(
                    e is StepException || DatabaseTrouble.IsAway(e) ? null : e,
                    "Looking at {Id} again in {Wait:0.0} s: {Reason}", suspicion.Id, wait.TotalSeconds, e.Message);
            }
            finally
            {
                _queue.Done(suspicion);
            }
        }
    }

    /// <summary>Finds rows whose objects went away while nobody watched: no change is announced for those. A watch that
    /// is not complete yet is swept once it says that it is; some never are.</summary>
    private async Task SweepAsync(string clusterId, CancellationToken ct)
    {
        if (watches.Find(clusterId) is not { IsSynced: true } watch) return;
        foreach (var row in await store.StableAsync(clusterId, ct))
        {
            if (Difference(row, watch) is not null) _queue.Add(new Suspicion(row.Id, Cluster: false));
        }
    }

    private async Task LookAsync(string id, CancellationToken ct)
    {
        // Rows that are not ours: another control plane may use the same cluster.
        if (await store.FindAsync(id, ct) is not { } row || watches.Find(row.ClusterId) is not { } watch) return;
        switch (row.State)
        {
            case ClusterInstallationState.Stable:
                await CompareAsync(row, watch, ct);
                break;
            case ClusterInstallationState.Deleted:
                await RemoveLeftoverAsync(row, watch, ct);
                break;
            default:
                if (CanGoOn(row, watch)) await nudges.SendAsync(new Nudge(ClusterInstallation.Noun, row.Id), ct);
                break;
        }
    }

    private async Task CompareAsync(ClusterInstallation row, ClusterWatch watch, CancellationToken ct)
    {
        if (Difference(row, watch) is null
            || await clusters.FindAsync(row.ClusterId, ct) is not { } cluster) return;
        var (ns, resource) = await objects.LookAsync(cluster, row, ct);
        if (Difference(row, ns, resource) is not { } found) return;
        log.LogInformation("Reopening {ClusterInstallation}: {Why}", row.Id, found.Why);
        await store.ReopenAsync(row, found.Rewrite, found.Why, ct);
    }

    private async Task RemoveLeftoverAsync(ClusterInstallation row, ClusterWatch watch, CancellationToken ct)
    {
        if (watch.Namespace(row.Namespace) is not { IsTerminating: false } ns || ns.ClusterInstallationId() != row.Id
            || await clusters.FindAsync(row.ClusterId, ct) is not { } cluster) return;
        log.LogWarning(
            "Removing namespace {Namespace}, which a worker made too late: {ClusterInstallation} was deleted before",
            row.Namespace, row.Id);
        await objects.RemoveLeftoverAsync(cluster, ns, ct);
    }

    /// <summary>Whether a step would do more than wait on: most of what is seen is our own doing, or the operator's on
    /// its way.</summary>
    private static bool CanGoOn(ClusterInstallation row, ClusterWatch watch) => row.State switch
    {
        ClusterInstallationState.Reconciling or ClusterInstallationState.Ready =>
            Update.CanGoOn(row, watch.Resource(row.Namespace, row.ResourceName)),
        // Both wait for the end of a namespace.
        _ => watch.Namespace(row.Namespace) is null,
    };

    private static (string Why, bool Rewrite)? Difference(ClusterInstallation row, ClusterWatch watch) =>
        Difference(row, watch.Namespace(row.Namespace), watch.Resource(row.Namespace, row.ResourceName));

    /// <summary>What differs from a row at rest, and whether its objects have to be written again; null for
    /// nothing.</summary>
    internal static (string Why, bool Rewrite)? Difference(
        ClusterInstallation row, WorkspaceNamespace? ns, MattermostResource? resource)
    {
        if (ns is null) return ("its namespace is gone from the cluster", true);
        if (ns.IsTerminating) return ("its namespace is being deleted", true);
        if (resource is null || resource.Metadata.DeletionTimestamp is not null)
            return ("its resource is gone from the cluster", true);
        if (resource.Metadata.Uid != row.ResourceUid) return ("its resource was made anew by somebody else", true);
        if (resource.Metadata.Generation != row.ResourceGeneration)
            return ("its resource was changed by somebody else", true);
        return resource.IsStable ? null : ($"the operator reports {resource.Report().State}", false);
    }

    /// <summary>Something to look at: one cluster installation, or all of a cluster.</summary>
    private readonly record struct Suspicion(string Id, bool Cluster);
}
