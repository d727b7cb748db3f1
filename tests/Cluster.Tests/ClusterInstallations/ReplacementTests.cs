using Cloud.ClusterInstallations;
using Cloud.Clusters;
using Cloud.Protos.Cluster.V1;
using Cloud.Protos.Supervision.V1;
using Cloud.ServiceDefaults.Storage;
using Cloud.Simulator.ApiServers;
using Cloud.TestHost;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;
using PlacementStore = Cloud.Placement.PlacementStore;
using Proto = Cloud.Protos.Cluster.V1;

namespace Cloud.ClusterTests.ClusterInstallations;

/// <summary>Installations whose cluster went away before anything of them was written there.</summary>
public sealed class ReplacementTests
{
    private static readonly ClusterSettings First = new()
    {
        Name = "first", Nodes = 4, Pods = 100, PodStartDelay = TimeSpan.FromMilliseconds(20),
    };

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task One_that_was_never_begun_goes_with_its_room_to_another_cluster_when_its_own_is_closed()
    {
        await using var world = await ClusterWorld.OfAsync(First, First with { Name = "second" });
        var id = ResourceId.New();
        var silent = await PlacedInSilentClusterAsync(world, id);
        var made = await world.CreateAsync(silent.Name, Ct, id);
        var other = await world.StableClusterAsync("second", Ct);

        await world.Clusters.UpdateClusterAsync(
            new UpdateClusterRequest
            {
                Cluster = new Proto.Cluster { Name = silent.Name, AllowInstallations = false },
                UpdateMask = new() { Paths = { "allow_installations" } },
            },
            cancellationToken: Ct);

        var stable = await world.UntilAsync(made.Name, r => r.State == "stable", Ct);
        Assert.Equal(other.Name, stable.Cluster);
        var placement = Assert.Single(
            (await world.Placements.ListPlacementsAsync(new(), cancellationToken: Ct)).Placements);
        Assert.Equal(other.Name, placement.Cluster);
        Assert.Null(world.Cluster("first").Api.Get("namespaces", null, id));

        // Whoever still believes that it is in the first cluster gets the same one.
        Assert.Equal(made.Name, (await world.CreateAsync(silent.Name, Ct, id, epoch: 2)).Name);
    }

    [Fact]
    public async Task Its_deletion_does_not_wait_for_a_cluster_in_which_nothing_was_begun()
    {
        await using var world = await ClusterWorld.OfAsync(First);
        var id = ResourceId.New();
        var silent = await PlacedInSilentClusterAsync(world, id);
        var made = await world.CreateAsync(silent.Name, Ct, id);

        await world.Installations.DeleteClusterInstallationAsync(
            new() { Name = made.Name, InstallationEpoch = 2 }, cancellationToken: Ct);

        await world.UntilAsync(made.Name, r => r.State == "deleted", Ct);
        Assert.Empty((await world.Placements.ListPlacementsAsync(new(), cancellationToken: Ct)).Placements);
    }

    [Fact]
    public async Task Whoever_was_about_to_begin_finds_it_moved_and_one_that_was_begun_stays()
    {
        await using var world = await ClusterWorld.OfAsync(First, First with { Name = "second" });
        var (one, another) = (ResourceId.New(), ResourceId.New());
        var silent = await PlacedInSilentClusterAsync(world, one, another);
        var moving = await world.CreateAsync(silent.Name, Ct, one);
        var staying = await world.CreateAsync(silent.Name, Ct, another);
        await world.StableClusterAsync("second", Ct);
        var services = world.Service.Services;
        var store = services.GetRequiredService<ClusterInstallationStore>();
        var replacement = services.GetRequiredService<Replacement>();
        var closed = (await services.GetRequiredService<ClusterStore>()
            .FindAsync(silent.Name.Split('/')[1], Ct))! with { AllowInstallations = false };

        // The service's own turns come in between, and what was read before one of them changes nothing.
        using var patience = new CancellationTokenSource(ClusterWorld.Patience);
        Cloud.ClusterInstallations.ClusterInstallation row;
        do row = await FindAsync(staying);
        while (!await store.BeginAsync(row, Ct));
        Assert.Null(await replacement.MoveAsync(row, closed, Ct));

        do row = await FindAsync(moving);
        while (await replacement.MoveAsync(row, closed, Ct) is null);
        Assert.False(await store.BeginAsync(row, Ct));

        async Task<Cloud.ClusterInstallations.ClusterInstallation> FindAsync(Proto.ClusterInstallation of) =>
            (await store.FindAsync(of.Name.Split('/')[1], patience.Token))!;
    }

    [Fact]
    public async Task Who_watches_its_cluster_sees_it_go_to_another()
    {
        await using var world = await ClusterWorld.OfAsync(First, First with { Name = "second" });
        var id = ResourceId.New();
        var silent = await PlacedInSilentClusterAsync(world, id);
        await world.CreateAsync(silent.Name, Ct, id);
        var other = await world.StableClusterAsync("second", Ct);
        using var stream = world.Installations.WatchClusterInstallations(
            new() { Cluster = silent.Name }, cancellationToken: Patience.Token);
        Assert.Equal(silent.Name, (await NextAsync(stream)).ClusterInstallation.Cluster);
        var token = (await NextAsync(stream)).ResumeToken;

        await world.Clusters.UpdateClusterAsync(
            new UpdateClusterRequest
            {
                Cluster = new Proto.Cluster { Name = silent.Name, AllowInstallations = false },
                UpdateMask = new() { Paths = { "allow_installations" } },
            },
            cancellationToken: Ct);

        Assert.Equal(other.Name, (await NextAsync(stream)).ClusterInstallation.Cluster);
        using var resumed = world.Installations.WatchClusterInstallations(
            new() { Cluster = silent.Name, ResumeToken = token }, cancellationToken: Patience.Token);
        Assert.Equal(other.Name, (await NextAsync(resumed)).ClusterInstallation.Cluster);

        static async Task<WatchClusterInstallationsResponse> NextAsync(
            AsyncServerStreamingCall<WatchClusterInstallationsResponse> of)
        {
            do Assert.True(await of.ResponseStream.MoveNext(Patience.Token));
            while (of.ResponseStream.Current.Kind == WatchKind.Bookmark);
            return of.ResponseStream.Current;
        }
    }

    [Fact]
    public async Task A_request_that_grows_it_and_its_move_take_turns()
    {
        await using var world = await ClusterWorld.OfAsync(First, First with { Name = "second" });
        var id = ResourceId.New();
        var silent = await PlacedInSilentClusterAsync(world, id);
        var made = await world.CreateAsync(silent.Name, Ct, id);
        await world.StableClusterAsync("second", Ct);
        var services = world.Service.Services;
        var row = (await services.GetRequiredService<ClusterInstallationStore>()
            .FindAsync(made.Name.Split('/')[1], Ct))!;
        var closed = (await services.GetRequiredService<ClusterStore>()
            .FindAsync(silent.Name.Split('/')[1], Ct))! with { AllowInstallations = false };
        var (isHeld, isDecided) = (new TaskCompletionSource(), new TaskCompletionSource());
        var deciding = services.GetRequiredService<Database>().InTransactionAsync(
            async (transaction, ct) =>
            {
                await PlacementStore.LockAsync(transaction, ct);
                isHeld.SetResult();
                await isDecided.Task.WaitAsync(ct);
            },
            Patience.Token);
        await isHeld.Task.WaitAsync(Patience.Token);

        var moved = services.GetRequiredService<Replacement>().MoveAsync(row, closed, Patience.Token);
        await WaitingAsync(1);
        var grown = world.Installations.UpdateClusterInstallationAsync(
            new()
            {
                ClusterInstallation = new() { Name = made.Name, Spec = new() { Size = "1000users" } },
                UpdateMask = new() { Paths = { "spec.size" } },
                InstallationEpoch = 2,
            },
            cancellationToken: Patience.Token).ResponseAsync;
        await WaitingAsync(2);
        isDecided.SetResult();

        await deciding;
        await moved;
        Assert.Equal("1000users", (await grown).Spec.Size);

        async Task WaitingAsync(long those)
        {
            await using var waiting = services.GetRequiredService<NpgsqlDataSource>().CreateCommand(
                "SELECT count(*) FROM pg_stat_activity "
                + "WHERE datname = current_database() AND wait_event_type = 'Lock'");
            while ((long)(await waiting.ExecuteScalarAsync(Patience.Token))! < those)
                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Patience.Token);
        }
    }

    /// <summary>A cluster that installations were placed in and that has not answered since.</summary>
    private static async Task<Proto.Cluster> PlacedInSilentClusterAsync(ClusterWorld world, params string[] ids)
    {
        var cluster = await world.StableClusterAsync("first", Ct);
        foreach (var id in ids) await world.PlaceAsync(Ct, id);
        await world.Clusters.UpdateClusterAsync(
            new UpdateClusterRequest
            {
                Cluster = new Proto.Cluster { Name = cluster.Name },
                Kubeconfig = world.Kubeconfig("first", server: "http://127.0.0.1:1/"),
            },
            cancellationToken: Ct);
        return await world.ClusterSeenAsync(cluster.Name, Ct, c => !c.Reachable);
    }
}
