using Cloud.Installations.Tests.World;
using Xunit;

namespace Cloud.Installations.Tests;

public sealed class CreationStories
{
    [Fact]
    public async Task A_new_installation_becomes_stable_once_its_pods_are_ready()
    {
        await using var system = await InstallationSystem.StartAsync();
        system.World.PodsSettle = false;

        var made = await system.CreateAsync("acme");
        Assert.Equal("creation-requested", made.State);
        Assert.Equal("http://acme.localhost:8080/", made.Url);
        await system.UntilAsync(made.Name, i => i.ClusterInstallation != "", "created in its cluster");
        await system.World.SettleAsync(made.Name);
        var stable = await system.UntilAsync(made.Name, "stable");

        Assert.Equal(
            [
                "creation-requested", "creation-pre-provisioning", "creation-in-progress", "creation-configuring-dns",
                "creation-final-tasks", "stable",
            ],
            await system.StatesOfAsync(made.Name));
        Assert.Equal(PlacementSide.Cluster, stable.Cluster);
        Assert.NotEqual("", stable.LogicalDatabase);
        Assert.Null(stable.Progress.NextAttemptTime);
    }
}
