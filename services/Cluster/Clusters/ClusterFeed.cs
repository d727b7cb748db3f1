using Cloud.Protos.Supervision.V1;
using Cloud.ServiceDefaults.Hosting;
using Proto = Cloud.Protos.Cluster.V1;

namespace Cloud.Clusters;

/// <summary>
/// Serves WatchClusters: a snapshot, SNAPSHOT_END, then every change in order. The position in the feed is taken before
/// the snapshot, so nothing is missed; a change that the snapshot had already is left out by its version. Of a change,
/// what is wanted and how it goes are those of the change; what is seen in the cluster is of now.
/// </summary>
public sealed class ClusterFeed(
    ClusterStore store, ClusterViews views, ChangeFeed changes, IHostApplicationLifetime lifetime)
{
    private const int SnapshotPageSize = 500;

    private static readonly TimeSpan RetryAfterStop = TimeSpan.FromSeconds(1);
    private static readonly string Hash = PageToken.HashOf("watch-clusters");

    /// <summary>Streams until the client or the service stops.</summary>
    public async Task StreamAsync(
        Proto.WatchClustersRequest request,
        Func<Proto.WatchClustersResponse, CancellationToken, Task> send,
        CancellationToken ct)
    {
        var problems = new FieldProblems();
        var resumed = FeedToken.Read(request.ResumeToken, Hash, problems);
        problems.ThrowIfAny();
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, lifetime.ApplicationStopping);
        try
        {
            var known = new Dictionary<string, long>(StringComparer.Ordinal);
            var position = resumed ?? await SendSnapshotAsync(known, send, either.Token);
            await foreach (var entry in changes.ReadAsync(Cluster.Noun, position, either.Token))
            {
                if (await MessageAsync(entry, known, either.Token) is not { } message) continue;
                message.ResumeToken = FeedToken.Write(entry.Sequence, Hash);
                await send(message, either.Token);
            }
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            throw Problem.Unavailable("STOPPING", "This replica stops: resume with the newest token.", RetryAfterStop);
        }
    }

    private async Task<long> SendSnapshotAsync(
        Dictionary<string, long> known, Func<Proto.WatchClustersResponse, CancellationToken, Task> send,
        CancellationToken ct)
    {
        var position = await changes.PositionAsync(ct);
        IReadOnlyList<Cluster> page;
        var after = "";
        do
        {
            page = await store.ListAsync([], deletedToo: false, after, SnapshotPageSize, ct);
            foreach (var (row, message) in page.Zip(await views.OfAsync(page, ct)))
            {
                known[row.Name] = row.Version;
                await send(new() { Kind = WatchKind.Snapshot, Cluster = message }, ct);
                after = row.Id;
            }
        }
        while (page.Count == SnapshotPageSize);
        await send(new() { Kind = WatchKind.SnapshotEnd, ResumeToken = FeedToken.Write(position, Hash) }, ct);
        return position;
    }

    private async Task<Proto.WatchClustersResponse?> MessageAsync(
        FeedMessage entry, Dictionary<string, long> known, CancellationToken ct)
    {
        if (entry.Event is not { } e) return new() { Kind = WatchKind.Bookmark };
        if (known.TryGetValue(e.Resource, out var version) && e.ResourceVersion < version) return null;
        var cluster = Proto.Cluster.Parser.ParseFrom(e.Snapshot);
        return new()
        {
            Kind = WatchKind.Change,
            Cluster = Cluster.IdOf(cluster.Name) is { } id ? await views.CompleteAsync(id, cluster, ct) : cluster,
            PreviousState = e.OldState ?? "",
            Reason = e.Reason ?? "",
        };
    }
}
