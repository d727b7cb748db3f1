using Cloud.Placement;
using Cloud.ServiceDefaults.Hosting;
using Grpc.Core;
using Proto = Cloud.Protos.Cluster.V1;

namespace Cloud.ClusterInstallations;

/// <summary>Serves WatchClusterInstallations.</summary>
public sealed class ClusterInstallationFeed(ClusterInstallationStore store, WatchStreams streams)
{
    /// <summary>Streams until the client or the service stops.</summary>
    public Task StreamAsync(
        Proto.WatchClusterInstallationsRequest request,
        IServerStreamWriter<Proto.WatchClusterInstallationsResponse> stream,
        CancellationToken ct)
    {
        var problems = new FieldProblems();
        var cluster = PlacementChecks.ClusterFilter(request.Cluster, problems);
        problems.ThrowIfAny();
        var filter = new ClusterInstallationStore.Filter("", cluster, [], DeletedToo: false);
        return streams.RunAsync(
            new Watched<ClusterInstallation, Proto.ClusterInstallation>(
                ClusterInstallation.Noun, Proto.ClusterInstallation.Parser)
            {
                FilterHash = PageToken.HashOf("watch-cluster-installations", cluster),
                Page = (after, limit, token) => store.ListAsync(filter, after, limit, token),
                Show = ClusterInstallationMessages.Of,
                Matches = (resource, _) => request.Cluster.Length == 0 || resource.Cluster == request.Cluster,
            },
            request.ResumeToken,
            message => stream.WriteAsync(
                new()
                {
                    Kind = message.Kind, ClusterInstallation = message.Resource,
                    PreviousState = message.PreviousState, Reason = message.Reason, ResumeToken = message.ResumeToken,
                }),
            ct);
    }
}
