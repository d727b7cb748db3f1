using System.Text;
using System.Text.Json.Nodes;
using Cloud.Protos.Cluster.V1;
using Cloud.ServiceDefaults.Storage;
using Cloud.Simulator.ApiServers;
using Grpc.Core;
using Xunit;

namespace Cloud.ClusterTests.ClusterInstallations;

public sealed class JourneyTests(ClusterWorld world) : IClassFixture<ClusterWorld>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private IClusterApi Api => world.Cluster("large").Api;

    [Fact]
    public async Task An_installation_becomes_real_in_its_cluster()
    {
        var cluster = await world.StableClusterAsync("large", Ct);
        var made = await world.StableAsync(cluster.Name, Ct, size: "1000users");

        Assert.Equal((1L, 1L), (made.Generation, made.ObservedGeneration));
        Assert.Equal(("stable", 2, "10.1.0"), (made.Status.State, made.Status.UpdatedReplicas, made.Status.Version));
        var ns = Api.Get("namespaces", null, made.Namespace)!;
        var labels = ns["metadata"]!["labels"]!;
        Assert.Equal(Id(made), labels["cloud.mattermost.com/cluster-installation-id"]!.GetValue<string>());
        foreach (var (kind, name) in (IEnumerable<(string, string)>)
            [("networkpolicies.networking.k8s.io", made.ResourceName),
                ("poddisruptionbudgets.policy", made.ResourceName),
                ("secrets", $"{made.ResourceName}-database"), (ClusterWorld.Resources, made.ResourceName)])
        {
            var item = Api.Get(kind, made.Namespace, name);
            var epoch = item!["metadata"]!["annotations"]!["cloud.mattermost.com/epoch"]!.GetValue<string>();
            Assert.True(long.Parse(epoch, null) > 0);
        }
        AssertGoodCredentials(made);
    }

    [Fact]
    public async Task Asking_again_answers_the_same_row()
    {
        var cluster = await world.StableClusterAsync("large", Ct);
        var id = ResourceId.New();
        var rows = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => world.CreateAsync(cluster.Name, Ct, id)));

        Assert.Single(rows.Select(r => r.Name).Distinct());
    }

    [Fact]
    public async Task Only_the_newest_generation_makes_it_stable()
    {
        await using var own = await ClusterWorld.OfAsync(world.Simulated[0]);
        var cluster = await own.StableClusterAsync("large", Ct);
        own.Operator("large").Error = "the database does not answer";
        own.Operator("large").Hold();
        var made = await own.CreateAsync(cluster.Name, Ct);
        await own.UntilAsync(made.Name, r => r.State == "reconciling" && r.Status.State == "reconciling", Ct);

        var why = await own.Installations.WhyClusterInstallationAsync(new() { Name = made.Name },
            cancellationToken: Ct);
        Assert.Equal([made.Name, $"{cluster.Name}/namespaces/{made.Namespace}/mattermosts/{made.ResourceName}"],
            why.Chain.Select(l => l.Resource));
        Assert.Contains("the database does not answer", why.Chain[1].Summary, StringComparison.Ordinal);

        own.Operator("large").Error = "";
        own.Operator("large").Release();
        var stable = await own.UntilAsync(made.Name, r => r.State == "stable", Ct);
        Assert.Equal(stable.Generation, stable.ObservedGeneration);
    }

    [Fact]
    public async Task An_update_is_written_and_followed_and_an_equal_one_starts_no_work()
    {
        var cluster = await world.StableClusterAsync("large", Ct);
        var made = await world.StableAsync(cluster.Name, Ct, size: "1000users");

        var changed = await UpdateAsync(made, new() { Version = "10.2.0" }, "spec.version");
        Assert.Equal(("reconciling", 2L), (changed.State, changed.Generation));
        var stable = await world.UntilAsync(made.Name, r => r is { State: "stable", ObservedGeneration: 2 }, Ct);
        Assert.Equal("10.2.0", stable.Status.Version);
        Assert.Equal("10.2.0", Resource(made)["spec"]!["version"]!.GetValue<string>());

        var same = await UpdateAsync(made, new() { Version = "10.2.0" }, "spec.version");
        Assert.Equal((stable.Etag, "stable"), (same.Etag, same.State));

        var smaller = await UpdateAsync(made, new() { Size = "miniSingleton" }, "spec.size");
        await world.UntilAsync(made.Name, r => r.State == "stable" && r.Generation == smaller.Generation, Ct);
        Assert.Null(Api.Get("poddisruptionbudgets.policy", made.Namespace, made.ResourceName));
        var requests = Resource(made)["spec"]!["scheduling"]!["resources"]!["requests"]!;
        Assert.Equal("10m", requests["cpu"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_hibernated_one_has_no_pods_answers_410_and_holds_no_room()
    {
        var cluster = await world.StableClusterAsync("large", Ct);
        var id = ResourceId.New();
        // Where it is placed does not matter here: the reservation follows the installation.
        await world.PlaceAsync(Ct, id);
        var made = await world.StableAsync(cluster.Name, Ct, id);

        await UpdateAsync(made, new() { Hibernated = true }, "spec.hibernated");
        await world.UntilAsync(made.Name, r => r is { State: "stable", ObservedGeneration: 2 }, Ct);
        var spec = Resource(made)["spec"]!;
        Assert.Equal(0, spec["replicas"]!.GetValue<int>());
        Assert.Equal("410", Annotations(made)["cloud.mattermost.com/return-status"]!.GetValue<string>());
        Assert.Equal(0, (await PlacementOfAsync(id)).Pods);

        await UpdateAsync(made, new() { Hibernated = false }, "spec.hibernated");
        await world.UntilAsync(made.Name, r => r is { State: "stable", ObservedGeneration: 3 }, Ct);
        Assert.False(Annotations(made).ContainsKey("cloud.mattermost.com/return-status"));
        Assert.Equal(1, (await PlacementOfAsync(id)).Pods);
    }

    [Fact]
    public async Task A_deletion_leaves_nothing_and_can_be_asked_for_again()
    {
        var cluster = await world.StableClusterAsync("large", Ct);
        var id = ResourceId.New();
        await world.PlaceAsync(Ct, id);
        var made = await world.StableAsync(cluster.Name, Ct, id);
        var placedElsewhere = (await PlacementOfAsync(id)).Cluster != cluster.Name;

        await DeleteAsync(made);
        var deleted = await world.UntilAsync(made.Name, r => r.State == "deleted", Ct);
        Assert.NotNull(deleted.DeleteTime);
        Assert.Null(Api.Get("namespaces", null, made.Namespace));
        Assert.Equal("deleted", (await DeleteAsync(made)).State);
        if (!placedElsewhere)
            Assert.DoesNotContain((await world.Placements.ListPlacementsAsync(new(), cancellationToken: Ct)).Placements,
                p => p.Installation == made.Installation);
    }

    [Fact]
    public async Task A_deletion_waits_for_a_silent_cluster_and_says_so()
    {
        var cluster = await world.StableClusterAsync("large", Ct);
        var made = await world.StableAsync(cluster.Name, Ct);
        world.Cluster("large").Faults.Put(new FaultRule
        {
            Id = "silent", Verb = "get", Resource = "namespaces", CutConnection = true,
        });
        try
        {
            await DeleteAsync(made);
            await WaitingAsync(made.Name, "CLUSTER_UNREACHABLE");
            var why = await world.Installations.WhyClusterInstallationAsync(new() { Name = made.Name },
                cancellationToken: Ct);
            Assert.Equal([made.Name, cluster.Name], why.Chain.Select(l => l.Resource));
        }
        finally
        {
            world.Cluster("large").Faults.Remove("silent");
        }
        await world.UntilAsync(made.Name, r => r.State == "deleted", Ct);
    }

    [Fact]
    public async Task An_object_that_the_cluster_refuses_for_good_fails_the_creation_and_a_deletion_cleans_up()
    {
        var cluster = await world.StableClusterAsync("large", Ct);
        var id = ResourceId.New();
        world.Cluster("large").Faults.Put(new FaultRule
        {
            Id = "refuse", Verb = "create", Resource = ClusterWorld.Resources, Namespace = id, ErrorCode = 422,
        });
        var made = await world.CreateAsync(cluster.Name, Ct, id);
        var failed = await world.UntilAsync(made.Name, r => r.State == "creation-failed", Ct);
        Assert.Equal("CLUSTER_REFUSED_OBJECT", failed.Progress.LastError.Code);

        world.Cluster("large").Faults.Remove("refuse");
        await DeleteAsync(made);
        await world.UntilAsync(made.Name, r => r.State == "deleted", Ct);
        Assert.Null(Api.Get("namespaces", null, made.Namespace));
    }

    [Fact]
    public async Task Somebody_elses_namespace_is_not_touched()
    {
        var cluster = await world.StableClusterAsync("large", Ct);
        var id = ResourceId.New();
        Api.Create("namespaces", JsonNode.Parse(
            $$"""{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "{{id}}"} }""")!.AsObject(),
            "somebody");
        var made = await world.CreateAsync(cluster.Name, Ct, id);
        var failed = await world.UntilAsync(made.Name, r => r.State == "creation-failed", Ct);
        Assert.Equal("NAMESPACE_TAKEN", failed.Progress.LastError.Code);

        await DeleteAsync(made);
        await world.UntilAsync(made.Name, r => r.State == "deleted", Ct);
        Assert.NotNull(Api.Get("namespaces", null, id));
    }

    [Fact]
    public async Task Bad_and_overtaken_requests_are_refused()
    {
        var cluster = await world.StableClusterAsync("large", Ct);
        var bad = await Refusal.OfAsync(world.Installations.CreateClusterInstallationAsync(
            new()
            {
                ClusterInstallation = new()
                {
                    Installation = "acme", Cluster = "east",
                    Spec = new() { Size = "huge", DnsNames = { "not a name" }, SecretEnv = { ["A"] = "no-slash" } },
                },
            },
            cancellationToken: Ct));
        const string spec = "cluster_installation.spec";
        Assert.Equal(
            ["cluster_installation.cluster", "cluster_installation.installation", $"{spec}.dns_names[0]",
                $"{spec}.image",
                $"{spec}.logical_database", $"{spec}.secret_env[A]", $"{spec}.size", $"{spec}.version"],
            bad.Fields.Order());

        var made = await world.CreateAsync(cluster.Name, Ct, epoch: 5);
        var stale = await Refusal.OfAsync(world.Installations.DeleteClusterInstallationAsync(
            new() { Name = made.Name, InstallationEpoch = 4 }, cancellationToken: Ct));
        Assert.Equal((StatusCode.Aborted, "EPOCH_STALE"), (stale.Code, stale.Reason));

        await DeleteAsync(made, epoch: 6);
        var deleting = await Refusal.OfAsync(world.Installations.UpdateClusterInstallationAsync(
            new() { ClusterInstallation = new() { Name = made.Name, Spec = made.Spec }, InstallationEpoch = 7 },
            cancellationToken: Ct));
        Assert.Equal((StatusCode.FailedPrecondition, "STATE_WRONG"), (deleting.Code, deleting.Reason));

        await world.UntilAsync(made.Name, r => r.State == "deleted", Ct);
        var late = await Refusal.OfAsync(world.Installations.CreateClusterInstallationAsync(
            new()
            {
                ClusterInstallation = new()
                {
                    Installation = made.Installation, Cluster = cluster.Name, Spec = made.Spec,
                },
                InstallationEpoch = 5,
            },
            cancellationToken: Ct));
        Assert.Equal("EPOCH_STALE", late.Reason);
    }

    private JsonObject Resource(ClusterInstallation row) =>
        Api.Get(ClusterWorld.Resources, row.Namespace, row.ResourceName)!;

    private JsonObject Annotations(ClusterInstallation row) =>
        Resource(row)["spec"]!["ingress"]!["annotations"]!.AsObject();

    private async Task<Protos.Cluster.V1.Placement> PlacementOfAsync(string id) =>
        (await world.Placements.ListPlacementsAsync(new() { PageSize = 1000 }, cancellationToken: Ct))
        .Placements.Single(p => p.Installation == $"installations/{id}");

    private async Task<ClusterInstallation> UpdateAsync(
        ClusterInstallation row, ClusterInstallationSpec spec, string path) =>
        await world.Installations.UpdateClusterInstallationAsync(
            new()
            {
                ClusterInstallation = new() { Name = row.Name, Spec = spec },
                UpdateMask = new() { Paths = { path } },
                InstallationEpoch = 1,
            },
            cancellationToken: Ct);

    private async Task<ClusterInstallation> DeleteAsync(ClusterInstallation row, long epoch = 1) =>
        await world.Installations.DeleteClusterInstallationAsync(
            new() { Name = row.Name, InstallationEpoch = epoch }, cancellationToken: Ct);

    /// <summary>Waits until a step has failed, which is no event.</summary>
    private async Task WaitingAsync(string name, string code)
    {
        using var patience = new CancellationTokenSource(ClusterWorld.Patience);
        while ((await world.Installations.GetClusterInstallationAsync(new() { Name = name }, cancellationToken: Ct))
            .Progress.LastError?.Code != code)
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, patience.Token);
    }

    private void AssertGoodCredentials(ClusterInstallation row)
    {
        var secret = Api.Get("secrets", row.Namespace, $"{row.ResourceName}-database")!;
        var text = Encoding.UTF8.GetString(
            Convert.FromBase64String(secret["data"]!["DB_CONNECTION_STRING"]!.GetValue<string>()));
        Assert.Contains(world.Desk.Issued[row.Spec.LogicalDatabase].Last(), text, StringComparison.Ordinal);
    }

    private static string Id(ClusterInstallation row) => row.Name["clusterInstallations/".Length..];
}
