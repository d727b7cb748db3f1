using Cloud.Protos.Cluster.V1;
using Cloud.Simulator.ApiServers;
using Grpc.Core;
using Xunit;

namespace Cloud.ClusterTests.Clusters;

/// <summary>Clusters that will never answer again.</summary>
public sealed class ForgettingTests
{
    private static readonly ClusterSettings Lost = new()
    {
        Name = "lost", Nodes = 1, Pods = 20, PodStartDelay = TimeSpan.FromMilliseconds(20),
    };

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_cluster_that_answers_is_not_forgotten()
    {
        await using var world = await ClusterWorld.OfAsync(Lost);
        var cluster = await world.StableClusterAsync("lost", Ct);

        var answers = await Refusal.OfAsync(world.Clusters.DeleteClusterAsync(
            new() { Name = cluster.Name, Force = true }, cancellationToken: Ct));

        Assert.Equal((StatusCode.FailedPrecondition, "CLUSTER_ANSWERS"), (answers.Code, answers.Reason));
    }

    [Fact]
    public async Task A_silent_cluster_is_forgotten_once_all_in_it_are_to_go_and_they_go_with_it()
    {
        await using var world = await ClusterWorld.OfAsync(Lost);
        var cluster = await world.StableClusterAsync("lost", Ct);
        var made = await world.StableAsync(cluster.Name, Ct);
        await world.Clusters.UpdateClusterAsync(
            new UpdateClusterRequest
            {
                Cluster = new Cluster { Name = cluster.Name },
                Kubeconfig = world.Kubeconfig("lost", server: "http://127.0.0.1:1/"),
            },
            cancellationToken: Ct);
        await world.ClusterSeenAsync(cluster.Name, Ct, c => !c.Reachable);

        // Who lives there has to be given up by name first.
        var inUse = await Refusal.OfAsync(ForgetAsync(world, cluster));
        Assert.Equal((StatusCode.FailedPrecondition, "CLUSTER_IN_USE"), (inUse.Code, inUse.Reason));
        Assert.Equal(made.Installation, inUse.Metadata["names"]);
        await world.Installations.DeleteClusterInstallationAsync(
            new() { Name = made.Name, InstallationEpoch = 2 }, cancellationToken: Ct);

        var forgotten = await ForgetAsync(world, cluster);
        Assert.Equal("deleted", forgotten.State);
        Assert.Equal(
            ["namespaces/mattermost-operator", "clusterroles/mattermost-operator",
                "clusterrolebindings/mattermost-operator", $"customresourcedefinitions/{ClusterWorld.Resources}",
                $"namespaces/{made.Namespace}"],
            forgotten.LeftBehind);
        await world.UntilAsync(made.Name, r => r.State == "deleted", Ct);
        Assert.Empty((await world.Placements.ListPlacementsAsync(new(), cancellationToken: Ct)).Placements);
        var why = await world.Clusters.WhyClusterAsync(new() { Name = cluster.Name }, cancellationToken: Ct);
        Assert.Contains($"namespaces/{made.Namespace}", Assert.Single(why.Chain).Summary, StringComparison.Ordinal);

        // Should it come back after all, it can be imported again.
        await world.StableClusterAsync("lost", Ct);
    }

    private static AsyncUnaryCall<Cluster> ForgetAsync(ClusterWorld world, Cluster cluster) =>
        world.Clusters.DeleteClusterAsync(new() { Name = cluster.Name, Force = true }, cancellationToken: Ct);
}
