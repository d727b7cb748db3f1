using Cloud.ClusterInstallations;
using Cloud.Placement;
using Cloud.Providers;
using Cloud.Watching;

namespace Cloud.Clusters;

/// <summary>
/// Turns what a watch sees into the cluster's row of observations: reachability at once, capacity at most a few times a
/// second, neither when nothing changed. Tells those who wait: work of a cluster that answers again, and installations
/// for which there may be room now.
/// </summary>
public sealed class Observing(
    ClusterStore clusters,
    ClusterInstallationStore installations,
    PlacementStore placements,
    INudges nudges,
    Database database,
    ILogger<Observing> log)
{
    /// <summary>Shortest time between two writes of a cluster's view.</summary>
    private static readonly TimeSpan Settle = TimeSpan.FromMilliseconds(250);

    /// <summary>How often a view is compared with the row though nothing changed: another replica may see
    /// worse.</summary>
    private static readonly TimeSpan AssertEvery = TimeSpan.FromSeconds(60);

    /// <summary>Waits after failures in a row.</summary>
    private static readonly Watching.Backoff Retry = new(Settle, TimeSpan.FromSeconds(15));

    /// <summary>Follows one cluster until cancelled.</summary>
    public async Task RunAsync(ClusterWatch watch, CancellationToken ct)
    {
        Observation? written = null;
        var failures = 0;
        var assertAt = database.Now + AssertEvery;
        while (true)
        {
            watch.Seen.RaiseAt(assertAt);
            await watch.Seen.WaitAsync(ct);
            var assert = database.Now >= assertAt;
            if (assert) assertAt = database.Now + AssertEvery;
            try
            {
                var row = written ?? await clusters.ObservationAsync(watch.ClusterId, ct);
                if (await LookAsync(watch, row, ct) is not { } seen || (seen == written && !assert)) continue;
                var changed = await clusters.ObserveAsync(seen with { ObserveTime = database.Now }, ct);
                written = seen;
                if (changed) await TellAsync(row, seen, ct);
                failures = 0;
            }
            catch (Exception e) when (!e.IsStop(ct))
            {
                // Whatever it is, such as a deadlock or a row that a newer release wrote: nobody else follows it here.
                failures++;
                log.LogWarning(
                    DatabaseTrouble.IsAway(e) ? null : e,
                    "Writing what is seen of {Cluster} later: {Reason}", watch.ClusterId, e.Message);
                watch.Seen.Raise();
            }
            await Task.Delay(failures == 0 ? Settle : Retry.After(failures), database.Time, ct);
        }
    }

    /// <summary>Notes that a cluster cannot be followed: nobody may count on what was seen of it before.</summary>
    public async Task GiveUpAsync(string clusterId, string why, CancellationToken ct)
    {
        var row = await clusters.ObservationAsync(clusterId, ct);
        var seen = row with
        {
            ClusterId = clusterId, ObserveTime = database.Now, Reachable = false, UnreachableReason = why,
        };
        if (await clusters.ObserveAsync(seen, ct)) await TellAsync(row, seen, ct);
    }

    /// <summary>What is seen now; null while nothing is known yet.</summary>
    private async Task<Observation?> LookAsync(ClusterWatch watch, Observation before, CancellationToken ct)
    {
        var status = watch.Status;
        if (status is { Synced: false, Failures: 0 }) return null;
        var seen = before with { ClusterId = watch.ClusterId, ObserveTime = null };
        if (status.Failures > 0)
            return seen with { Reachable = false, UnreachableReason = Words(status.LastError) };

        if (!before.Reachable || before.KubernetesVersion.Length == 0)
            seen = seen with { KubernetesVersion = await VersionAsync(watch, before.KubernetesVersion, ct) };
        if (watch.KnowsCapacity)
        {
            // In this order: see Capacity.Observe.
            var (nodes, pods) = (watch.Nodes, watch.Pods);
            var reservations = await placements.ByNamespaceAsync(watch.ClusterId, ct);
            seen = seen with { Capacity = Capacity.Observe(nodes, pods, reservations) };
        }
        return seen with { Reachable = true, UnreachableReason = "" };
    }

    private static async Task<string> VersionAsync(ClusterWatch watch, string known, CancellationToken ct)
    {
        try
        {
            return await Import.VersionAsync(watch.Api, ct);
        }
        catch (KubernetesApiException)
        {
            return known; // Asked for again when it is next found reachable.
        }
    }

    private async Task TellAsync(Observation before, Observation seen, CancellationToken ct)
    {
        if (seen.Reachable && !before.Reachable)
        {
            log.LogInformation("Going on in {Cluster}: it answers", seen.ClusterId);
            await nudges.SendAsync(new Nudge(Cluster.Noun, seen.ClusterId), ct);
            foreach (var id in await installations.UnderWayAsync(seen.ClusterId, ct))
                await nudges.SendAsync(new Nudge(ClusterInstallation.Noun, id), ct);
        }
        else if (!seen.Reachable && before.Reachable)
        {
            log.LogWarning("Waiting for {Cluster}: {Reason}", seen.ClusterId, seen.UnreachableReason);
        }
        if (seen.Reachable && (!before.Reachable || seen.Capacity.HasMoreRoomThan(before.Capacity)))
            await placements.TellWaitingAsync(ct);
    }

    private static string Words(KubernetesApiException? error) => error is null
        ? "it does not answer"
        : error.Kind switch
        {
            KubernetesErrorKind.Unauthorized => $"it does not accept our credentials ({error.Message})",
            KubernetesErrorKind.Forbidden => $"it does not let us read ({error.Message})",
            _ => error.Message,
        };
}
