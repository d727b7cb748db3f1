using System.Text;
using System.Text.Json.Nodes;
using Cloud.ClusterInstallations;
using Cloud.Clusters;
using Cloud.Protos.Supervision.V1;
using Cloud.Simulator.ApiServers;
using Cloud.TestHost;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;
using ClusterInstallation = Cloud.Protos.Cluster.V1.ClusterInstallation;

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
    public async Task A_Secret_deleted_by_hand_is_made_again_and_pods_get_the_new_credentials()
    {
        var made = await StableAsync();
        var secret = $"{made.ResourceName}-database";
        var reporter = world.Operator("large");
        Api.Create("deployments.apps", JsonNode.Parse(
            $$$"""
            {"apiVersion": "apps/v1", "kind": "Deployment",
             "metadata": {"name": "{{{made.ResourceName}}}", "namespace": "{{{made.Namespace}}}"},
             "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "mattermost"} },
                      "template": {"metadata": {"labels": {"app": "mattermost"} },
                                   "spec": {"containers": [{"name": "mattermost", "image": "i"}]} } } }
            """)!.AsObject(), "mattermost-operator");

        var states = await StatesDuringAsync(made, () =>
        {
            Api.Delete("secrets", made.Namespace, secret);
            reporter.Error = $"Secret '{secret}' does not exist.";
            reporter.Hold();
            var resource = Api.Get(ClusterWorld.Resources, made.Namespace, made.ResourceName)!;
            resource["metadata"]!["annotations"]!["touched"] = "yes";
            Api.Update(ClusterWorld.Resources, resource, "somebody");
            _ = ReleaseOnceFilledAsync();
        });

        Assert.Equal(["reconciling", "stable"], states);
        var filled = Api.Get("secrets", made.Namespace, secret)!;
        var issued = world.Desk.Issued[made.Spec.LogicalDatabase];
        Assert.Equal(2, issued.Count);
        Assert.Contains(issued.Last(), Encoding.UTF8.GetString(Convert.FromBase64String(
            filled["data"]!["DB_CONNECTION_STRING"]!.GetValue<string>())), StringComparison.Ordinal);
        var pods = Api.Get("deployments.apps", made.Namespace, made.ResourceName)!["spec"]!["template"]!["metadata"]!;
        Assert.Equal(
            filled["metadata"]!["uid"]!.GetValue<string>(),
            pods["annotations"]![Manifests.CredentialsAnnotation]!.GetValue<string>());

        async Task ReleaseOnceFilledAsync()
        {
            while (Api.Get("secrets", made.Namespace, secret)?["data"]?["DB_CONNECTION_STRING"] is null)
                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Patience.Token);
            reporter.Error = "";
            reporter.Release();
        }
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

    [Fact]
    public async Task Rows_that_a_newer_release_wrote_do_not_end_the_looking()
    {
        await using var own = await ClusterWorld.OfAsync(world.Simulated[0]);
        var cluster = await own.StableClusterAsync("large", Ct);
        var newer = new List<ClusterInstallation>();
        // As many as looks at once, and one that is known.
        for (var n = 0; n < 4; n++) newer.Add(await own.StableAsync(cluster.Name, Ct));
        var known = await own.StableAsync(cluster.Name, Ct);
        await using var rewriting = own.Service.Services.GetRequiredService<NpgsqlDataSource>().CreateCommand(
            "UPDATE cluster_installations SET state = 'of-a-newer-release' WHERE id = ANY ($1)");
        rewriting.Parameters.Add(new NpgsqlParameter<string[]>
        {
            TypedValue = [.. newer.Select(row => row.Name.Split('/')[1])],
        });
        await rewriting.ExecuteNonQueryAsync(Patience.Token);
        var api = own.Cluster("large").Api;

        foreach (var row in newer)
        {
            var touched = api.Get("namespaces", null, row.Namespace)!;
            touched["metadata"]!["annotations"]!["touched"] = "yes";
            api.Update("namespaces", touched, "somebody");
        }

        api.Delete("namespaces", null, known.Namespace);
        await MendedAsync(own, known);
    }

    [Fact]
    public async Task Clusters_that_never_answer_do_not_keep_the_looking_from_the_others()
    {
        await using var own = new ClusterWorld
        {
            Simulated = [world.Simulated[0]],
            // The test begins it once the clusters are there.
            Configure = services => services.Remove(services.Single(s => s.ImplementationType == typeof(Drift))),
        };
        await own.InitializeAsync();
        var cluster = await own.StableClusterAsync("large", Ct);
        var made = await own.StableAsync(cluster.Name, Ct);
        for (var n = 0; n < 4; n++) await own.ImportAsync("large", Ct, server: "http://127.0.0.1:1/");
        var watches = own.Service.Services.GetRequiredService<ClusterWatches>();
        while (watches.All.Count < 5)
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Patience.Token);

        using var drift = ActivatorUtilities.CreateInstance<Drift>(own.Service.Services);
        await drift.StartAsync(Ct);
        own.Cluster("large").Api.Delete("namespaces", null, made.Namespace);

        await MendedAsync(own, made);
        await drift.StopAsync(Ct);
    }

    /// <summary>Waits until a row at rest was worked on. Not by its events: what lists rows needs to know all
    /// states.</summary>
    private static async Task MendedAsync(ClusterWorld own, ClusterInstallation row)
    {
        while (true)
        {
            var now = await own.Installations.GetClusterInstallationAsync(
                new() { Name = row.Name }, cancellationToken: Patience.Token);
            if (now.State == "stable" && now.Etag != row.Etag) return;
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Patience.Token);
        }
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
