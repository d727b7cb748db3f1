using Cloud.Installations.Tests.World;
using Xunit;

namespace Cloud.Installations.Tests;

public sealed class HibernationStories
{
    private static CancellationToken Cut => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_hibernating_installation_keeps_everything_but_its_pods_and_wakes_up_again()
    {
        await using var system = await InstallationSystem.StartAsync();
        var acme = await system.StableAsync("acme");
        var asked = await system.Client.HibernateInstallationAsync(new() { Name = acme.Name }, cancellationToken: Cut);
        Assert.Equal("hibernation-requested", asked.State);
        var asleep = await system.UntilAsync(acme.Name, "hibernating");
        Assert.True(system.World.Look(w => w.ClusterInstallations[0].Spec!.Hibernated));
        Assert.Equal(3, system.World.LeftOf(acme.Name).Count);
        Assert.Equal((acme.DnsNames, acme.LogicalDatabase), (asleep.DnsNames, asleep.LogicalDatabase));

        var woken = await system.Client.WakeUpInstallationAsync(new() { Name = acme.Name }, cancellationToken: Cut);
        Assert.Equal("wake-up-requested", woken.State);
        await system.UntilAsync(acme.Name, "stable");
        Assert.False(system.World.Look(w => w.ClusterInstallations[0].Spec!.Hibernated));
        Assert.Equal(
            [
                "stable", "hibernation-requested", "hibernation-in-progress", "hibernating", "wake-up-requested",
                "update-in-progress", "stable",
            ],
            (await system.StatesOfAsync(acme.Name)).TakeLast(7));
    }

    [Fact]
    public async Task Stopping_that_does_not_work_is_tried_until_it_does()
    {
        await using var system = await InstallationSystem.StartAsync(fakeClock: true);
        var acme = await system.StableAsync("acme");
        system.World.PodsSettle = false;
        await system.Client.HibernateInstallationAsync(new() { Name = acme.Name }, cancellationToken: Cut);
        var waiting = await system.UntilWaitingAsync(acme.Name, "clusterInstallations/");
        Assert.Equal("hibernation-in-progress", waiting.State);

        system.Clock!.Advance(TimeSpan.FromHours(2));
        await system.World.SettleAsync(acme.Name);
        await system.UntilAsync(acme.Name, "hibernating");
    }

    [Fact]
    public async Task One_that_is_stopping_can_be_deleted()
    {
        await using var system = await InstallationSystem.StartAsync();
        var acme = await system.StableAsync("acme");
        system.World.PodsSettle = false;
        await system.Client.HibernateInstallationAsync(new() { Name = acme.Name }, cancellationToken: Cut);
        await system.UntilAsync(acme.Name, "hibernation-in-progress");
        await system.Client.DeleteInstallationAsync(new() { Name = acme.Name }, cancellationToken: Cut);
        await system.World.SettleAsync(acme.Name);
        await system.UntilAsync(acme.Name, "deletion-pending");
    }
}
