using Cloud.Installations.Tests.World;
using Cloud.ServiceDefaults.Storage;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Xunit;
using Proto = Cloud.Protos.Installation.V1;

namespace Cloud.Installations.Tests;

public sealed class DeletionStories
{
    private static CancellationToken Cut => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_deletion_is_pending_until_its_time_is_over_and_then_nothing_is_left()
    {
        await using var system = await InstallationSystem.StartAsync(fakeClock: true);
        var acme = await system.StableAsync("acme");
        var asked = await DeleteAsync(system, acme.Name, pending: TimeSpan.FromDays(3));
        Assert.Equal("deletion-pending-requested", asked.State);
        var pending = await system.UntilAsync(acme.Name, "deletion-pending");
        Assert.Equal(
            system.Clock!.GetUtcNow() + TimeSpan.FromDays(3), pending.PurgeTime.ToDateTimeOffset(),
            TimeSpan.FromSeconds(30));
        Assert.True(system.World.Look(w => w.ClusterInstallations[0].Spec!.Hibernated));

        for (var day = 0; day < 3; day++)
        {
            await system.UntilWaitingAsync(acme.Name, "becomes final");
            Assert.Equal("deletion-pending", (await system.GetAsync(acme.Name)).State);
            system.Clock.Advance(TimeSpan.FromDays(1));
        }

        var gone = await system.UntilAsync(acme.Name, "deleted");
        Assert.Empty(system.World.LeftOf(acme.Name));
        Assert.NotNull(gone.DeleteTime);
        Assert.Null(gone.PurgeTime);
        Assert.Equal(
            [
                "deletion-pending-requested", "deletion-pending-in-progress", "deletion-pending", "deletion-requested",
                "deletion-in-progress", "deletion-final-cleanup", "deleted",
            ],
            (await system.StatesOfAsync(acme.Name)).TakeLast(7));
    }

    [Fact]
    public async Task The_default_pending_time_is_three_minutes()
    {
        await using var system = await InstallationSystem.StartAsync(fakeClock: true);
        var acme = await system.StableAsync("acme");
        await DeleteAsync(system, acme.Name);
        var pending = await system.UntilAsync(acme.Name, "deletion-pending");
        Assert.Equal(
            system.Clock!.GetUtcNow() + TimeSpan.FromMinutes(3), pending.PurgeTime.ToDateTimeOffset(),
            TimeSpan.FromSeconds(30));
        await system.UntilWaitingAsync(acme.Name, "becomes final");
        system.Clock.Advance(TimeSpan.FromMinutes(3));
        await system.UntilAsync(acme.Name, "deleted");
    }

    [Fact]
    public async Task The_pending_time_begins_when_the_pods_are_stopped_however_long_that_took()
    {
        await using var system = await InstallationSystem.StartAsync(fakeClock: true);
        var acme = await system.StableAsync("acme");
        system.World.PodsSettle = false;
        await DeleteAsync(system, acme.Name, pending: TimeSpan.FromMinutes(1));
        await system.UntilWaitingAsync(acme.Name, "clusterInstallations/");
        system.Clock!.Advance(TimeSpan.FromHours(1));
        await system.World.SettleAsync(acme.Name);
        var pending = await system.UntilAsync(acme.Name, "deletion-pending");
        Assert.True(pending.PurgeTime.ToDateTimeOffset() > system.Clock.GetUtcNow());
    }

    [Fact]
    public async Task A_pending_deletion_taken_back_wakes_the_installation_and_forgets_its_time()
    {
        await using var system = await InstallationSystem.StartAsync();
        var acme = await system.StableAsync("acme");
        await DeleteAsync(system, acme.Name);
        await system.UntilAsync(acme.Name, "deletion-pending");
        var cancelled = await system.Client.CancelInstallationDeletionAsync(
            new() { Name = acme.Name }, cancellationToken: Cut);
        Assert.Equal("deletion-cancellation-requested", cancelled.State);
        Assert.Null(cancelled.PurgeTime);
        await system.UntilAsync(acme.Name, "stable");
        Assert.False(system.World.Look(w => w.ClusterInstallations[0].Spec!.Hibernated));
    }

    [Fact]
    public async Task Without_a_pending_time_it_is_final_as_soon_as_the_pods_are_stopped()
    {
        await using var system = await InstallationSystem.StartAsync();
        var acme = await system.StableAsync("acme");
        await DeleteAsync(system, acme.Name, pending: TimeSpan.Zero);
        await system.UntilAsync(acme.Name, "deleted");
        Assert.Empty(system.World.LeftOf(acme.Name));
    }

    [Fact]
    public async Task A_creation_that_was_cut_is_refused_everywhere_after_it_though_there_was_nothing_to_remove()
    {
        await using var system = await InstallationSystem.StartAsync();
        system.World.ClusterRoom = 0;
        var acme = await system.CreateAsync("acme");
        await system.UntilWaitingAsync(acme.Name, "CPU");
        var epoch = (long)Assert.Single(await system.QueryAsync("SELECT epoch FROM installations"));
        await DeleteAsync(system, acme.Name, pending: TimeSpan.Zero);
        await system.UntilAsync(acme.Name, "deleted");

        var late = new Func<Task>[]
        {
            () => new PlacementSide(system.World).PlaceInstallation(
                new() { Installation = acme.Name, InstallationEpoch = epoch }, null!),
            () => new ClusterInstallationSide(system.World).CreateClusterInstallation(
                new() { ClusterInstallation = new() { Installation = acme.Name }, InstallationEpoch = epoch }, null!),
            () => new DatabaseSide(system.World).CreateLogicalDatabase(
                new() { LogicalDatabase = new() { Installation = acme.Name }, InstallationEpoch = epoch }, null!),
        };
        foreach (var call in late)
        {
            Assert.Equal(StatusCode.Aborted, (await Assert.ThrowsAsync<RpcException>(call)).StatusCode);
        }

        Assert.Empty(system.World.LeftOf(acme.Name));
    }

    [Fact]
    public async Task What_a_cut_creation_made_after_the_last_look_is_removed_as_well()
    {
        await using var system = await InstallationSystem.StartAsync();
        system.World.ClusterRoom = 0;
        var acme = await system.CreateAsync("acme");
        await system.UntilWaitingAsync(acme.Name, "CPU");
        system.World.Before[nameof(PlacementSide.ReleasePlacement)] = () => system.World.ClusterInstallations.Add(
            new Resource($"clusterInstallations/{ResourceId.New()}", acme.Name, "creation-requested", "stable"));
        system.World.Before[nameof(DatabaseSide.ReleaseRoom)] = () => system.World.Databases.Add(
            new Resource($"logicalDatabases/{ResourceId.New()}", acme.Name, "creation-requested", "stable"));
        await DeleteAsync(system, acme.Name, pending: TimeSpan.Zero);

        await system.UntilAsync(acme.Name, "deleted");
        Assert.Empty(system.World.LeftOf(acme.Name));
        Assert.Single(system.World.Look(w => w.ClusterInstallations.ToList()));
        Assert.Single(system.World.Look(w => w.Databases.ToList()));
    }

    [Fact]
    public async Task A_pending_deletion_can_be_made_final_now_or_given_another_time()
    {
        await using var system = await InstallationSystem.StartAsync();
        var acme = await system.StableAsync("acme");
        await DeleteAsync(system, acme.Name);
        var pending = await system.UntilAsync(acme.Name, "deletion-pending");
        await Refused.With("STATE_WRONG", () => DeleteAsync(system, acme.Name));
        var later = await DeleteAsync(system, acme.Name, pending: TimeSpan.FromDays(30));
        Assert.Equal("deletion-pending", later.State);
        Assert.True(later.PurgeTime > pending.PurgeTime);

        var final = await DeleteAsync(system, acme.Name, force: true);
        Assert.Equal("deletion-requested", final.State);
        Assert.Null(final.PurgeTime);
        await system.UntilAsync(acme.Name, "deleted");
    }

    [Fact]
    public async Task A_deletion_asked_for_twice_is_one()
    {
        await using var system = await InstallationSystem.StartAsync();
        var acme = await system.StableAsync("acme");
        system.World.Close();
        var first = await DeleteAsync(system, acme.Name);
        var second = await DeleteAsync(system, acme.Name);
        Assert.Equal((first.Etag, first.PurgeTime), (second.Etag, second.PurgeTime));
        system.World.Open();
        await system.UntilAsync(acme.Name, "deletion-pending");
    }

    [Fact]
    public async Task One_whose_pods_cannot_be_stopped_can_be_forced_out()
    {
        await using var system = await InstallationSystem.StartAsync();
        var acme = await system.StableAsync("acme");
        system.World.PodsSettle = false;
        await DeleteAsync(system, acme.Name);
        await system.UntilAsync(acme.Name, "deletion-pending-in-progress");
        await DeleteAsync(system, acme.Name, force: true);
        await system.UntilAsync(acme.Name, "deletion-in-progress");
        await system.World.SettleAsync(acme.Name);
        await system.UntilAsync(acme.Name, "deleted");
    }

    [Fact]
    public async Task One_that_never_was_stable_is_removed_at_once_with_all_it_had()
    {
        await using var system = await InstallationSystem.StartAsync();
        system.World.PodsSettle = false;
        var acme = await system.CreateAsync("acme");
        await system.UntilAsync(acme.Name, i => i.ClusterInstallation != "", "created in its cluster");
        var asked = await DeleteAsync(system, acme.Name);
        Assert.Equal("deletion-requested", asked.State);
        await system.UntilAsync(acme.Name, "deletion-in-progress");
        await system.World.SettleAsync(acme.Name);
        await system.UntilAsync(acme.Name, "deleted");
        Assert.Empty(system.World.LeftOf(acme.Name));
    }

    [Fact]
    public async Task A_deletion_during_a_creation_step_wins_and_leaves_nothing()
    {
        await using var system = await InstallationSystem.StartAsync();
        system.World.Close();
        var acme = await system.CreateAsync("acme");
        await DeleteAsync(system, acme.Name);
        system.World.Open();
        await system.UntilAsync(acme.Name, "deleted");
        Assert.Empty(system.World.LeftOf(acme.Name));
        Assert.Equal("deletion-requested", (await system.StatesOfAsync(acme.Name))[1]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_removal_that_fails_can_be_retried(bool inCluster)
    {
        await using var system = await InstallationSystem.StartAsync();
        var acme = await system.StableAsync("acme");
        await DeleteAsync(system, acme.Name);
        await system.UntilAsync(acme.Name, "deletion-pending");
        (system.World.ClusterFailure, system.World.DatabaseFailure) =
            (inCluster ? "finalizer" : null, inCluster ? null : "in use");
        await DeleteAsync(system, acme.Name, force: true);
        var failed = await system.UntilAsync(acme.Name, "deletion-failed");
        Assert.Contains(
            inCluster ? "finalizer" : "in use", failed.Progress.LastError.Message, StringComparison.Ordinal);

        (system.World.ClusterFailure, system.World.DatabaseFailure) = (null, null);
        await system.Client.RetryInstallationAsync(new() { Name = acme.Name }, cancellationToken: Cut);
        await system.UntilAsync(acme.Name, "deleted");
        Assert.Empty(system.World.LeftOf(acme.Name));
    }

    [Fact]
    public async Task A_deleted_installation_can_be_read_and_its_name_be_had_again()
    {
        await using var system = await InstallationSystem.StartAsync();
        var acme = await system.StableAsync("acme");
        await DeleteAsync(system, acme.Name, pending: TimeSpan.Zero);
        await system.UntilAsync(acme.Name, "deleted");
        var again = await system.StableAsync("acme");

        Assert.Equal("deleted", (await system.GetAsync(acme.Name)).State);
        Assert.Equal(["acme.localhost"], (await system.GetAsync(acme.Name)).DnsNames);
        var live = await system.Client.ListInstallationsAsync(
            new() { Filter = new() { DnsName = "acme" } }, cancellationToken: Cut);
        Assert.Equal(again.Name, Assert.Single(live.Installations).Name);
        var all = await system.Client.ListInstallationsAsync(
            new() { Filter = new() { DnsName = "acme.localhost", ShowDeleted = true } }, cancellationToken: Cut);
        Assert.Equal([acme.Name, again.Name], all.Installations.Select(i => i.Name));
    }

    private static async Task<Proto.Installation> DeleteAsync(
        InstallationSystem system, string name, TimeSpan? pending = null, bool force = false) =>
        await system.Client.DeleteInstallationAsync(
            new()
            {
                Name = name, PendingTime = pending is { } time ? Duration.FromTimeSpan(time) : null, Force = force,
            },
            cancellationToken: Cut);
}
