using Cloud.Installations.Tests.World;
using Xunit;

namespace Cloud.Installations.Tests;

/// <summary>Calls and replies that are lost while everybody lives; what dies is the matter of the
/// journeys.</summary>
public sealed class CrashStories
{
    /// <summary>More calls than any journey here makes.</summary>
    private const int CallsAtMost = 24;

    /// <summary>Every state of a life in which nothing went wrong, in order.</summary>
    private static readonly string[] WholeLife =
    [
        "creation-requested", "creation-pre-provisioning", "creation-in-progress", "creation-configuring-dns",
        "creation-final-tasks", "stable", "hibernation-requested", "hibernation-in-progress", "hibernating",
        "wake-up-requested", "update-in-progress", "stable", "deletion-pending-requested",
        "deletion-pending-in-progress", "deletion-pending", "deletion-requested", "deletion-in-progress",
        "deletion-final-cleanup", "deleted",
    ];

    private static CancellationToken Cut => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Any_call_or_reply_lost_on_the_way_through_life_costs_time_only(bool afterTheWork)
    {
        await using var system = await InstallationSystem.StartAsync();
        system.World.Close();
        var made = new List<string>();
        for (var call = 1; call <= CallsAtMost; call++)
        {
            var name = (await system.CreateAsync($"acme-{call}")).Name;
            system.World.Plan(name, new CallPlan(call, afterTheWork));
            made.Add(name);
        }

        system.World.Open();
        await Task.WhenAll(made.Select(name => LiveAsync(system, name)));
        Assert.Empty(await system.QueryAsync("SELECT id FROM installations WHERE last_error_code = 'RULE_BROKEN'"));
        foreach (var name in made)
        {
            Assert.Empty(system.World.LeftOf(name));
            Assert.Single(system.World.Look(w => w.ClusterInstallations.Where(r => r.Installation == name).ToList()));
            Assert.Single(system.World.Look(w => w.Databases.Where(r => r.Installation == name).ToList()));
            Assert.Equal(WholeLife, await system.StatesOfAsync(name));
        }
    }

    private static async Task LiveAsync(InstallationSystem system, string name)
    {
        await system.UntilAsync(name, "stable");
        await system.Client.HibernateInstallationAsync(new() { Name = name }, cancellationToken: Cut);
        await system.UntilAsync(name, "hibernating");
        await system.Client.WakeUpInstallationAsync(new() { Name = name }, cancellationToken: Cut);
        await system.UntilAsync(name, "stable");
        await DeleteAsync(system, name);
    }

    private static async Task DeleteAsync(InstallationSystem system, string name)
    {
        await system.Client.DeleteInstallationAsync(new() { Name = name, PendingTime = new() }, cancellationToken: Cut);
        await system.UntilAsync(name, "deleted");
    }
}
