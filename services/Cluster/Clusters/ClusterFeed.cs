using Grpc.Core;
using Proto = Cloud.Protos.Cluster.V1;

namespace Cloud.Clusters;

/// <summary>Serves WatchClusters. Of a change, what is wanted and how it goes are those of the change; what is seen in
/// the cluster is of now.</summary>
public sealed class ClusterFeed(ClusterStore store, ClusterViews views, WatchStreams streams)
{
    private readonly Watched<Cluster, Proto.Cluster> _clusters = new(Cluster.Noun, Proto.Cluster.Parser)
    {
        FilterHash = PageToken.HashOf("watch-clusters"),
        Page = (after, limit, ct) => store.ListAsync([], deletedToo: false, after, limit, ct),
        Show = ClusterMessages.Of,
        CompleteAsync = views.CompleteAsync,
        TellsWithinVersion = true, // reachability is no part of the row
    };

    /// <summary>Streams until the client or the service stops.</summary>
    public Task StreamAsync(
        Proto.WatchClustersRequest request,
        IServerStreamWriter<Proto.WatchClustersResponse> stream,
        CancellationToken ct) =>
        streams.RunAsync(
            _clusters,
            request.ResumeToken,
            message => stream.WriteAsync(
                new()
                {
                    Kind = message.Kind, Cluster = message.Resource, PreviousState = message.PreviousState,
                    Reason = message.Reason, ResumeToken = message.ResumeToken,
                }),
            ct);
}
