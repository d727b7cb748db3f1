using System.Text;
using System.Text.Json.Nodes;
using Cloud.Protos.Cluster.V1;
using Cloud.Protos.Supervision.V1;
using Cloud.Simulator.ApiServers;
using Grpc.Core;
using Xunit;

namespace Cloud.ClusterTests.ClusterInstallations;

/// <summary>What is removed or changed by hand comes back as it was wanted.</summary>
public sealed class DriftTests(ClusterWorld world) : IClassFixture<ClusterWorld>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private IClusterApi Api => world.Cluster("large").Api;

    [Fact]
    public async Task A_namespace_deleted_by_hand_is_made_again_with_new_credentials()
    {
        var made = await StableAsync();
        var first = Api.Get("namespaces", null, made.Namespace)!["metadata"]!["uid"]!.GetValue<string>();

        var states = await StatesDuringAsync(made, () => Api.Delete("namespaces", null, made.Namespace));

        Assert.Equal(["reconciling", "stable"], states);
        Assert.NotEqual(first, Api.Get("namespaces", null, made.Namespace)!["metadata"]!["uid"]!.GetValue<string>());
        Assert.NotNull(Api.Get(ClusterWorld.Resources, made.Namespace, made.ResourceName));
        var issued = world.Desk.Issued[made.Spec.LogicalDatabase];
        Assert.Equal(2, issued.Count);
        var secret = Api.Get("secrets", made.Namespace, $"{made.ResourceName}-database")!;
        Assert.Contains(issued.Last(), Encoding.UTF8.GetString(Convert.FromBase64String(
            secret["data"]!["DB_CONNECTION_STRING"]!.GetValue<string>())), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_resource_deleted_by_hand_is_made_again_and_keeps_its_credentials()
    {
        var made = await StableAsync();

        var states = await StatesDuringAsync(
            made, () => Api.Delete(ClusterWorld.Resources, made.Namespace, made.ResourceName));

        Assert.Equal(["reconciling", "stable"], states);
        Assert.Single(world.Desk.Issued[made.Spec.LogicalDatabase]);
    }

    [Fact]
    public async Task A_resource_changed_by_hand_is_changed_back()
    {
        var made = await StableAsync();

        await StatesDuringAsync(made, () =>
        {
            var resource = Api.Get(ClusterWorld.Resources, made.Namespace, made.ResourceName)!;
            resource["spec"]!["version"] = "1.0.0";
            Api.Update(ClusterWorld.Resources, resource, "somebody");
        });

        var resource = Api.Get(ClusterWorld.Resources, made.Namespace, made.ResourceName)!;
        Assert.Equal("10.1.0", resource["spec"]!["version"]!.GetValue<string>());
    }

    [Fact]
    public async Task What_was_removed_while_nobody_watched_is_found()
    {
        await using var own = await ClusterWorld.OfAsync(world.Simulated[0]);
        var cluster = await own.StableClusterAsync("large", Ct);
        var made = await own.StableAsync(cluster.Name, Ct);
        var api = own.Cluster("large").Api;
        await own.StopAsync();
        api.Delete("namespaces", null, made.Namespace);

        await own.RestartAsync();
        await own.UntilAsync(made.Name, r => r.State == "stable" && r.Etag != made.Etag, Ct);
        Assert.NotNull(api.Get(ClusterWorld.Resources, made.Namespace, made.ResourceName));
    }

    [Fact]
    public async Task What_a_late_worker_makes_after_the_deletion_is_removed()
    {
        var made = await StableAsync();
        await world.Installations.DeleteClusterInstallationAsync(
            new() { Name = made.Name, InstallationEpoch = 2 }, cancellationToken: Ct);
        await world.UntilAsync(made.Name, r => r.State == "deleted", Ct);

        Api.Create("namespaces", JsonNode.Parse(
            $$"""
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "{{made.Namespace}}", "labels": {
              "cloud.mattermost.com/installation-id": "{{made.Namespace}}",
              "cloud.mattermost.com/cluster-installation-id": "{{made.Name["clusterInstallations/".Length..]}}"} } }
            """)!.AsObject(), "late");

        using var patience = new CancellationTokenSource(ClusterWorld.Patience);
        await foreach (var change in Api.FollowAsync("namespaces", patience.Token))
        {
            var name = change.Object.Value["metadata"]!["name"]!.GetValue<string>();
            if (change.Type == "DELETED" && name == made.Namespace) break;
        }
    }

    [Fact]
    public async Task Namespaces_of_another_control_plane_are_left_alone()
    {
        await StableAsync();
        Api.Create("namespaces", JsonNode.Parse(
            """
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "foreign", "labels": {
              "cloud.mattermost.com/cluster-installation-id": "aforeignrowthatisnotoursxx"} } }
            """)!.AsObject(), "other");

        await StableAsync();
        Assert.Null(Api.Get("namespaces", null, "foreign")!["metadata"]!["deletionTimestamp"]);
    }

    private async Task<ClusterInstallation> StableAsync()
    {
        var cluster = await world.StableClusterAsync("large", Ct);
        return await world.StableAsync(cluster.Name, Ct);
    }

    /// <summary>The states that a row goes through because of a disturbance, until it is stable again.</summary>
    private async Task<IReadOnlyList<string>> StatesDuringAsync(ClusterInstallation row, Action disturb)
    {
        using var call = world.Installations.WatchClusterInstallations(
            new() { Cluster = row.Cluster },
            deadline: TimeProvider.System.GetUtcNow().Add(ClusterWorld.Patience).UtcDateTime, cancellationToken: Ct);
        var states = new List<string>();
        await foreach (var message in call.ResponseStream.ReadAllAsync(Ct))
        {
            if (message.Kind == WatchKind.SnapshotEnd) disturb();
            if (message.Kind != WatchKind.Change || message.ClusterInstallation.Name != row.Name) continue;
            var state = message.ClusterInstallation.State;
            if (state != message.PreviousState) states.Add(state);
            if (state == "stable") return states;
        }
        throw new InvalidOperationException("The stream ended.");
    }
}
