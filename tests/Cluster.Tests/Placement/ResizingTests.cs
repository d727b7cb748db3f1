using Cloud.Protos.Cluster.V1;
using Cloud.ServiceDefaults.Storage;
using Cloud.Simulator.ApiServers;
using Grpc.Core;
using Xunit;

namespace Cloud.ClusterTests.Placement;

/// <summary>Workspaces that grow and shrink in their cluster.</summary>
public sealed class ResizingTests
{
    private const string NoRoom = "CLUSTER_FULL";

    /// <summary>20 pods, 80 % of them to be taken by new ones, one by the operator.</summary>
    private const int Fitting = 15;

    private static readonly ClusterSettings Small = new()
    {
        Name = "small", Nodes = 1, Pods = 20, PodStartDelay = TimeSpan.FromMilliseconds(20),
    };

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_workspace_grows_as_far_as_its_cluster_has_room_and_no_further()
    {
        await using var world = await ClusterWorld.OfAsync(Small);
        var (cluster, made) = await PlacedAsync(world);
        for (var n = 1; n < Fitting; n++) await world.PlaceAsync(Ct);

        var refused = await Refusal.OfAsync(ResizeAsync(world, made, "provisionerXL-6"));
        Assert.Equal((StatusCode.ResourceExhausted, NoRoom), (refused.Code, refused.Reason));
        Assert.Contains("pods", refused.Metadata[cluster.Name], StringComparison.Ordinal);
        var kept = await world.Installations.GetClusterInstallationAsync(
            new() { Name = made.Name }, cancellationToken: Ct);
        Assert.Equal(("100users", 1L), (kept.Spec.Size, kept.Generation));
        Assert.Equal(1, (await PlacementOfAsync(world, made)).Pods);

        // Beyond the threshold, which keeps only new ones out.
        await ResizeAsync(world, made, "miniHA");
        Assert.Equal(2, (await PlacementOfAsync(world, made)).Pods);
    }

    [Fact]
    public async Task Who_found_no_room_to_grow_is_told_when_another_shrinks()
    {
        await using var world = await ClusterWorld.OfAsync(Small);
        var (_, growing) = await PlacedAsync(world);
        var (_, shrinking) = await PlacedAsync(world, "provisionerXL-4");
        Assert.Equal(NoRoom, (await Refusal.OfAsync(ResizeAsync(world, growing, "provisionerXL-6"))).Reason);
        var told = new Told(world, growing.Namespace);

        await ResizeAsync(world, shrinking, "miniSingleton");

        await told.AgainAsync(Ct);
        await ResizeAsync(world, growing, "provisionerXL-6");
        Assert.Equal(6, (await PlacementOfAsync(world, growing)).Pods);
    }

    [Fact]
    public async Task A_workspace_does_not_wake_up_where_others_took_its_room()
    {
        await using var world = await ClusterWorld.OfAsync(Small);
        var (_, made) = await PlacedAsync(world, "provisionerXL-4");
        await HibernateAsync(world, made, true);
        await world.PlaceAsync(Ct, size: "provisionerXL-6");

        Assert.Equal(NoRoom, (await Refusal.OfAsync(HibernateAsync(world, made, false))).Reason);
    }

    private static async Task<(Cluster Cluster, ClusterInstallation Made)> PlacedAsync(
        ClusterWorld world, string size = "100users")
    {
        var cluster = await world.StableClusterAsync("small", Ct);
        var id = ResourceId.New();
        await world.PlaceAsync(Ct, id, size);
        return (cluster, await world.StableAsync(cluster.Name, Ct, id, size));
    }

    private static AsyncUnaryCall<ClusterInstallation> ResizeAsync(
        ClusterWorld world, ClusterInstallation row, string size) =>
        UpdateAsync(world, row, new() { Size = size }, "spec.size");

    private static AsyncUnaryCall<ClusterInstallation> HibernateAsync(
        ClusterWorld world, ClusterInstallation row, bool hibernated) =>
        UpdateAsync(world, row, new() { Hibernated = hibernated }, "spec.hibernated");

    private static AsyncUnaryCall<ClusterInstallation> UpdateAsync(
        ClusterWorld world, ClusterInstallation row, ClusterInstallationSpec spec, string path) =>
        world.Installations.UpdateClusterInstallationAsync(
            new()
            {
                ClusterInstallation = new() { Name = row.Name, Spec = spec },
                UpdateMask = new() { Paths = { path } },
                InstallationEpoch = 1,
            },
            cancellationToken: Ct);

    private static async Task<Protos.Cluster.V1.Placement> PlacementOfAsync(
        ClusterWorld world, ClusterInstallation row) =>
        (await world.Placements.ListPlacementsAsync(new(), cancellationToken: Ct))
        .Placements.Single(p => p.Installation == row.Installation);
}
