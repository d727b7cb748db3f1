using Cloud.Installations.Tests.World;
using Cloud.ServiceDefaults.Supervision;
using Cloud.TestHost;
using Xunit;

namespace Cloud.Installations.Tests;

/// <summary>Whatever is cut, lost or doubled: each installation is made once, ends where it should, and leaves
/// nothing.</summary>
public sealed class CrashStories
{
    /// <summary>More calls than any journey here makes.</summary>
    private const int CallsAtMost = 24;

    /// <summary>Places that one replica passes while two share a life.</summary>
    private const int PlacesAtMost = 100;

    private const int PlacesBetweenDeaths = 7;

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

    [Fact]
    public async Task A_replica_that_dies_anywhere_is_replaced_by_the_other()
    {
        await using var system = await InstallationSystem.StartAsync();
        var deaths = 0;
        for (var place = 1; place <= PlacesAtMost; place += PlacesBetweenDeaths)
        {
            var faults = new FaultPoints();
            faults.CrashAt(place);
            await using var doomed = system.Doomed(faults);
            var name = (await system.CreateAsync($"acme-{place}")).Name;
            var life = LiveAsync(system, name);
            await Task.WhenAny(life, faults.Crashed);
            if (faults.Crashed.IsCompleted)
            {
                deaths++;
                await system.BuryAsync(name);
            }

            await life;
            Assert.Empty(system.World.LeftOf(name));
            Assert.Single(system.World.Look(w => w.ClusterInstallations.Where(r => r.Installation == name).ToList()));
            Assert.Equal(WholeLife, await system.StatesOfAsync(name));
        }

        Assert.True(deaths > 1, "No replica died: nothing was shown.");
    }

    [Fact]
    public async Task A_worker_that_slept_through_a_deletion_cannot_undo_it()
    {
        await using var system = await InstallationSystem.StartAsync();
        var acme = await system.StableAsync("acme");
        var before = await system.Service<InstallationStore>().FindAsync(acme.Name["installations/".Length..], Cut);
        await DeleteAsync(system, acme.Name);

        // As it was before it learned what it had asked for.
        var asleep = before! with { ClusterInstallation = null };
        var creation = system.Service<Creation>();
        var late = await Assert.ThrowsAsync<StepException>(() => creation.StartAsync(asleep, Cut));
        Assert.Equal("STALE_EPOCH", late.Code);
        Assert.Empty(system.World.LeftOf(acme.Name));
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
