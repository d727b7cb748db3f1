using Cloud.Clusters;
using Cloud.Placement;
using Cloud.Protos.Supervision.V1;
using Cloud.ServiceDefaults.Hosting;
using Proto = Cloud.Protos.Cluster.V1;

namespace Cloud.ClusterInstallations;

/// <summary>Serves WatchClusterInstallations: a snapshot, SNAPSHOT_END, then every change in order. The position in the
/// feed is taken before the snapshot, so nothing is missed; a change that the snapshot had already is left out by its
/// version.</summary>
public sealed class ClusterInstallationFeed(
    ClusterInstallationStore store, ChangeFeed changes, IHostApplicationLifetime lifetime)
{
    private const int SnapshotPageSize = 500;

    private static readonly TimeSpan RetryAfterStop = TimeSpan.FromSeconds(1);

    /// <summary>Streams until the client or the service stops.</summary>
    public async Task StreamAsync(
        Proto.WatchClusterInstallationsRequest request,
        Func<Proto.WatchClusterInstallationsResponse, CancellationToken, Task> send,
        CancellationToken ct)
    {
        var problems = new FieldProblems();
        var cluster = PlacementChecks.ClusterFilter(request.Cluster, problems);
        var hash = PageToken.HashOf("watch-cluster-installations", cluster);
        var resumed = FeedToken.Read(request.ResumeToken, hash, problems);
        problems.ThrowIfAny();
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, lifetime.ApplicationStopping);
        try
        {
            var known = new Dictionary<string, long>(StringComparer.Ordinal);
            var position = resumed ?? await SendSnapshotAsync(cluster, hash, known, send, either.Token);
            await foreach (var entry in changes.ReadAsync(ClusterInstallation.Noun, position, either.Token))
            {
                if (Message(entry, request.Cluster, known) is not { } message) continue;
                message.ResumeToken = FeedToken.Write(entry.Sequence, hash);
                await send(message, either.Token);
            }
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            throw Problem.Unavailable("STOPPING", "This replica stops: resume with the newest token.", RetryAfterStop);
        }
    }

    private async Task<long> SendSnapshotAsync(
        string cluster, string hash, Dictionary<string, long> known,
        Func<Proto.WatchClusterInstallationsResponse, CancellationToken, Task> send, CancellationToken ct)
    {
        var position = await changes.PositionAsync(ct);
        var filter = new ClusterInstallationStore.Filter("", cluster, [], DeletedToo: false);
        IReadOnlyList<ClusterInstallation> page;
        var after = "";
        do
        {
            page = await store.ListAsync(filter, after, SnapshotPageSize, ct);
            foreach (var row in page)
            {
                known[row.Name] = row.Version;
                await send(new()
                {
                    Kind = WatchKind.Snapshot, ClusterInstallation = ClusterInstallationMessages.Of(row),
                }, ct);
                after = row.Id;
            }
        }
        while (page.Count == SnapshotPageSize);
        await send(new() { Kind = WatchKind.SnapshotEnd, ResumeToken = FeedToken.Write(position, hash) }, ct);
        return position;
    }

    /// <summary>The message about an entry; null when the client did not ask for it or has it already.</summary>
    private static Proto.WatchClusterInstallationsResponse? Message(
        FeedMessage entry, string cluster, Dictionary<string, long> known)
    {
        if (entry.Event is not { } e) return new() { Kind = WatchKind.Bookmark };
        if (known.TryGetValue(e.Resource, out var version) && e.ResourceVersion <= version) return null;
        known.Remove(e.Resource);
        var changed = Proto.ClusterInstallation.Parser.ParseFrom(e.Snapshot);
        return cluster.Length > 0 && changed.Cluster != cluster ? null : new()
        {
            Kind = WatchKind.Change,
            ClusterInstallation = changed,
            PreviousState = e.OldState ?? "",
            Reason = e.Reason ?? "",
        };
    }
}
