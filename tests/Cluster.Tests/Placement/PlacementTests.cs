using Cloud.Protos.Cluster.V1;
using Cloud.ServiceDefaults.Storage;
using Cloud.Simulator.ApiServers;
using Grpc.Core;
using Xunit;
using PlacementStore = Cloud.Placement.PlacementStore;

namespace Cloud.ClusterTests.Placement;

public sealed class PlacementTests
{
    private const string NoRoom = "CLUSTERS_FULL";

    /// <summary>20 pods, 80 % of them to be taken, one by the operator.</summary>
    private const int Fitting = 15;

    private static readonly ClusterSettings Small = new()
    {
        Name = "small", Nodes = 1, Pods = 20, PodStartDelay = TimeSpan.FromMilliseconds(20),
    };

    private static readonly ClusterSettings Larger = Small with { Name = "larger", Nodes = 2 };

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_burst_at_two_replicas_never_takes_more_than_there_is()
    {
        await using var world = await ClusterWorld.OfAsync(Small);
        var cluster = await world.StableClusterAsync("small", Ct);
        await world.ClusterSeenAsync(cluster.Name, Ct, c => c.Capacity.PodsRequested == 1);
        await using var other = world.Start();
        PlacementService.PlacementServiceClient[] replicas = [world.Placements, new(other.Channel)];

        var answers = await Task.WhenAll(Enumerable.Range(0, 60).Select(async n =>
        {
            try
            {
                return (await replicas[n % 2].PlaceInstallationAsync(
                    new() { Installation = $"installations/{ResourceId.New()}", Size = "100users" },
                    cancellationToken: Ct)).Cluster;
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.ResourceExhausted)
            {
                return null;
            }
        }));

        Assert.Equal(Fitting, answers.Count(a => a == cluster.Name));
        var seen = await world.ClusterSeenAsync(cluster.Name, Ct);
        Assert.Equal(Fitting + 1, seen.Capacity.PodsRequested);
        Assert.Equal(Fitting, seen.InstallationCount);
    }

    [Fact]
    public async Task A_refusal_says_per_cluster_why()
    {
        await using var world = await ClusterWorld.OfAsync(Small);
        var none = await Refusal.OfAsync(world.PlaceAsync(Ct));
        Assert.Equal((StatusCode.ResourceExhausted, NoRoom), (none.Code, none.Reason));
        Assert.Contains("import one", none.Message, StringComparison.Ordinal);

        var cluster = await world.StableClusterAsync("small", Ct);
        var huge = await Refusal.OfAsync(world.PlaceAsync(Ct, size: "provisionerXL-20"));
        Assert.StartsWith("CLUSTER_OVER_THRESHOLD", huge.Metadata[cluster.Name], StringComparison.Ordinal);

        await world.Clusters.UpdateClusterAsync(
            new UpdateClusterRequest
            {
                Cluster = new Cluster { Name = cluster.Name, AllowInstallations = false },
                UpdateMask = new() { Paths = { "allow_installations" } },
            },
            cancellationToken: Ct);
        var closed = await Refusal.OfAsync(world.PlaceAsync(Ct));
        Assert.StartsWith("CLUSTER_CLOSED", closed.Metadata[cluster.Name], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_found_no_room_is_told_when_there_is_some()
    {
        await using var world = await ClusterWorld.OfAsync(Small);
        var cluster = await world.StableClusterAsync("small", Ct);
        var first = ResourceId.New();
        await world.PlaceAsync(Ct, first);
        for (var n = 1; n < Fitting; n++) await world.PlaceAsync(Ct);
        var told = new Told(world, ResourceId.New());
        Assert.Equal(NoRoom, (await Refusal.OfAsync(world.PlaceAsync(Ct, told.Id))).Reason);

        // Room that is given back.
        await world.Placements.ReleasePlacementAsync(
            new() { Installation = $"installations/{first}", InstallationEpoch = 1 }, cancellationToken: Ct);
        await told.AgainAsync(Ct);
        Assert.Equal(cluster.Name, (await world.PlaceAsync(Ct, told.Id)).Cluster);

        // A threshold that is raised.
        told = new Told(world, ResourceId.New());
        Assert.Equal(NoRoom, (await Refusal.OfAsync(world.PlaceAsync(Ct, told.Id))).Reason);
        await world.Clusters.UpdateClusterAsync(
            new UpdateClusterRequest
            {
                Cluster = new Cluster { Name = cluster.Name, UtilizationThresholdPercent = 100 },
                UpdateMask = new() { Paths = { "utilization_threshold_percent" } },
            },
            cancellationToken: Ct);
        await told.AgainAsync(Ct);
        Assert.Equal(cluster.Name, (await world.PlaceAsync(Ct, told.Id)).Cluster);
    }

    [Fact]
    public async Task Who_is_told_of_room_and_has_asked_passes_it_on_to_those_behind()
    {
        await using var world = await ClusterWorld.OfAsync(Small);
        await world.StableClusterAsync("small", Ct);
        var first = ResourceId.New();
        await world.PlaceAsync(Ct, first);
        for (var n = 1; n < Fitting; n++) await world.PlaceAsync(Ct);
        var waiting = new List<Told>();
        for (var n = 0; n < PlacementStore.ToldAtOnceMax + 2; n++)
        {
            waiting.Add(new Told(world, ResourceId.New()));
            Assert.Equal(NoRoom, (await Refusal.OfAsync(world.PlaceAsync(Ct, waiting[^1].Id))).Reason);
        }

        await world.Placements.ReleasePlacementAsync(
            new() { Installation = $"installations/{first}", InstallationEpoch = 1 }, cancellationToken: Ct);
        await waiting[0].AgainAsync(Ct);
        Assert.False(waiting[^2].WasTold || waiting[^1].WasTold);

        await world.PlaceAsync(Ct, waiting[0].Id);
        await waiting[^2].AgainAsync(Ct);
        Assert.False(waiting[^1].WasTold);
        Assert.Equal(NoRoom, (await Refusal.OfAsync(world.PlaceAsync(Ct, waiting[1].Id))).Reason);
        await waiting[^1].AgainAsync(Ct);
    }

    [Fact]
    public async Task Who_found_no_room_is_told_when_nodes_can_be_used_again()
    {
        await using var world = await ClusterWorld.OfAsync(Small);
        var cluster = await world.StableClusterAsync("small", Ct);
        var api = world.Cluster("small").Api;
        Cordon(api, true);
        await world.ClusterSeenAsync(cluster.Name, Ct, c => c.Capacity.Nodes == 0);
        var told = new Told(world, ResourceId.New());
        var refused = await Refusal.OfAsync(world.PlaceAsync(Ct, told.Id));
        Assert.StartsWith("CLUSTER_NODES_UNUSABLE", refused.Metadata[cluster.Name], StringComparison.Ordinal);

        Cordon(api, false);
        await told.AgainAsync(Ct);
        Assert.Equal(cluster.Name, (await world.PlaceAsync(Ct, told.Id)).Cluster);
    }

    [Fact]
    public async Task Who_found_no_room_is_told_when_a_cluster_whose_room_was_seen_becomes_ready()
    {
        await using var world = await ClusterWorld.OfAsync(Small);
        var kubelet = world.Machines("small");
        kubelet.MissingImages = ["cloud/operator"];
        var cluster = await world.ImportAsync("small", Ct);
        await world.ClusterSeenAsync(cluster.Name, Ct, c => c.Reachable && c.Capacity.PodsRequested > 0);
        var told = new Told(world, ResourceId.New());
        Assert.Equal(NoRoom, (await Refusal.OfAsync(world.PlaceAsync(Ct, told.Id))).Reason);

        kubelet.MissingImages = [];
        await told.AgainAsync(Ct);
        Assert.Equal(cluster.Name, (await world.PlaceAsync(Ct, told.Id)).Cluster);
    }

    [Fact]
    public async Task The_emptier_cluster_is_chosen_and_asking_again_answers_the_same()
    {
        await using var world = await ClusterWorld.OfAsync(Small, Larger);
        await world.StableClusterAsync("small", Ct);
        var larger = await world.StableClusterAsync("larger", Ct);
        var id = ResourceId.New();

        var placed = await world.PlaceAsync(Ct, id, "1000users");
        Assert.Equal(larger.Name, placed.Cluster);
        Assert.Equal((300L, 2), (placed.CpuMillis, placed.Pods));
        Assert.Contains("most room", placed.Reason, StringComparison.Ordinal);
        Assert.Equal(placed, await world.PlaceAsync(Ct, id, "1000users", epoch: 2));

        var list = await world.Placements.ListPlacementsAsync(new() { Cluster = larger.Name }, cancellationToken: Ct);
        Assert.Equal(placed, Assert.Single(list.Placements));
    }

    [Fact]
    public async Task An_isolated_installation_keeps_others_out()
    {
        await using var world = await ClusterWorld.OfAsync(Small, Larger);
        await world.StableClusterAsync("small", Ct);
        await world.StableClusterAsync("larger", Ct);

        var alone = await world.PlaceAsync(Ct, affinity: "isolated");
        var shared = await world.PlaceAsync(Ct);
        Assert.NotEqual(alone.Cluster, shared.Cluster);
        var refused = await Refusal.OfAsync(world.PlaceAsync(Ct, affinity: "isolated"));
        Assert.Equal(
            2, refused.Metadata.Values.Count(v => v.StartsWith("CLUSTER_NOT_EMPTY", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Bad_and_overtaken_requests_are_refused()
    {
        await using var world = await ClusterWorld.OfAsync(Small);
        await world.StableClusterAsync("small", Ct);
        var bad = await Refusal.OfAsync(world.Placements.PlaceInstallationAsync(
            new() { Installation = "acme", Size = "huge", Affinity = "lonely" }, cancellationToken: Ct));
        Assert.Equal(["affinity", "installation", "size"], bad.Fields.Order());

        var id = ResourceId.New();
        await world.PlaceAsync(Ct, id, epoch: 5);
        await world.Placements.ReleasePlacementAsync(
            new() { Installation = $"installations/{id}", InstallationEpoch = 6 }, cancellationToken: Ct);
        var stale = await Refusal.OfAsync(world.PlaceAsync(Ct, id, epoch: 5));
        Assert.Equal((StatusCode.Aborted, "EPOCH_STALE"), (stale.Code, stale.Reason));
        Assert.Empty((await world.Placements.ListPlacementsAsync(new(), cancellationToken: Ct)).Placements);
    }

    [Fact]
    public async Task A_cluster_that_is_in_use_cannot_be_let_go()
    {
        await using var world = await ClusterWorld.OfAsync(Small);
        var cluster = await world.StableClusterAsync("small", Ct);
        var id = ResourceId.New();
        await world.PlaceAsync(Ct, id);

        var inUse = await Refusal.OfAsync(world.Clusters.DeleteClusterAsync(new() { Name = cluster.Name },
            cancellationToken: Ct));
        Assert.Equal((StatusCode.FailedPrecondition, "CLUSTER_IN_USE"), (inUse.Code, inUse.Reason));
        Assert.Equal($"installations/{id}", inUse.Metadata["names"]);

        await world.Placements.ReleasePlacementAsync(
            new() { Installation = $"installations/{id}", InstallationEpoch = 1 }, cancellationToken: Ct);
        await world.Clusters.DeleteClusterAsync(new() { Name = cluster.Name }, cancellationToken: Ct);
        await world.ClusterUntilAsync(cluster.Name, c => c.State == "deleted", Ct);
        var api = world.Cluster("small").Api;
        Assert.Null(api.Get("namespaces", null, "mattermost-operator"));
        Assert.NotNull(api.Get("customresourcedefinitions.apiextensions.k8s.io", null, ClusterWorld.Resources));
    }

    private static void Cordon(IClusterApi api, bool cordoned)
    {
        while (true)
        {
            var node = api.List("nodes")[0];
            node["spec"]!["unschedulable"] = cordoned;
            try
            {
                api.Update("nodes", node, "test");
                return;
            }
            catch (ApiException e) when (e.Code == 409)
            {
                // The node wrote its heartbeat meanwhile.
            }
        }
    }
}
