using Cloud.Installations.Tests.World;
using Google.Protobuf.WellKnownTypes;
using Xunit;
using Proto = Cloud.Protos.Installation.V1;

namespace Cloud.Installations.Tests;

public sealed class UpdateStories
{
    private static CancellationToken Cut => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Version_image_size_environment_and_names_reach_the_cluster()
    {
        await using var system = await InstallationSystem.StartAsync();
        var acme = await system.StableAsync("acme");
        var asked = await UpdateAsync(system, acme.Name, wish =>
        {
            wish.Version = "10.2.0";
            wish.Image = "registry.example.com:5000/mattermost/team";
            wish.Size = "5000users";
            wish.DnsNames.Add("acme2.localhost");
            wish.MattermostEnv["NEW"] = new() { Value = "1" };
        });
        Assert.Equal("update-requested", asked.State);
        var stable = await system.UntilAsync(acme.Name, i => i.State == "stable" && i.Version == "10.2.0", "updated");

        var spec = system.World.Look(w => Assert.Single(w.ClusterInstallations).Spec)!;
        Assert.Equal(
            ("10.2.0", "registry.example.com:5000/mattermost/team", "5000users", "1", "acme2.localhost"),
            (spec.Version, spec.Image, spec.Size, spec.Env["NEW"], Assert.Single(spec.DnsNames)));
        Assert.Equal("http://acme2.localhost:8080/", stable.Url);
        Assert.Equal(
            ["update-requested", "update-in-progress", "stable"], (await system.StatesOfAsync(acme.Name)).TakeLast(3));
    }

    [Fact]
    public async Task A_taken_name_changes_nothing()
    {
        await using var system = await InstallationSystem.StartAsync();
        var acme = await system.StableAsync("acme");
        await system.StableAsync("other");
        await Refused.With(
            "DNS_NAME_TAKEN", () => UpdateAsync(system, acme.Name, w => w.DnsNames.Add("other.localhost")));
        Assert.Equal("stable", (await system.GetAsync(acme.Name)).State);
    }

    [Fact]
    public async Task A_name_given_up_is_free_once_the_cluster_does_not_serve_it_any_more()
    {
        await using var system = await InstallationSystem.StartAsync();
        var acme = await system.StableAsync("acme");
        (system.World.PodsSettle, system.World.ClusterFailure) = (false, "no pod becomes ready");
        await UpdateAsync(system, acme.Name, w => w.DnsNames.Add("acme2.localhost"));
        await system.UntilWaitingAsync(acme.Name, "clusterInstallations/");
        await Refused.With("DNS_NAME_TAKEN", () => system.CreateAsync("acme"));

        await system.World.SettleAsync(acme.Name);
        await system.UntilAsync(acme.Name, "update-failed");
        await Refused.With("DNS_NAME_TAKEN", () => system.CreateAsync("acme"));

        (system.World.PodsSettle, system.World.ClusterFailure) = (true, null);
        await UpdateAsync(system, acme.Name, w => w.DnsNames.Add("acme3.localhost"));
        await system.UntilAsync(acme.Name, "stable");
        await system.CreateAsync("acme");
        await system.CreateAsync("acme2");
    }

    [Fact]
    public async Task A_change_of_nothing_answers_the_row_and_starts_no_work()
    {
        await using var system = await InstallationSystem.StartAsync();
        var acme = await system.StableAsync("acme");
        var same = await UpdateAsync(system, acme.Name, wish =>
        {
            wish.Version = acme.Version;
            wish.DnsNames.Add(acme.DnsNames);
            wish.Size = acme.Size;
        });
        Assert.Equal(acme, same);
    }

    [Fact]
    public async Task A_change_of_the_owner_alone_starts_no_work()
    {
        await using var system = await InstallationSystem.StartAsync();
        var acme = await system.StableAsync("acme");
        var owned = await UpdateAsync(system, acme.Name, wish => wish.OwnerId = "customer-7");
        Assert.Equal(("stable", "customer-7"), (owned.State, owned.OwnerId));
        Assert.NotEqual(acme.Etag, owned.Etag);
    }

    [Fact]
    public async Task A_mask_takes_what_it_names_and_nothing_else()
    {
        await using var system = await InstallationSystem.StartAsync();
        var acme = await system.StableAsync("acme");
        system.World.Close();
        var updated = await system.Client.UpdateInstallationAsync(
            new()
            {
                Installation = new() { Name = acme.Name, Version = "10.3.0", Size = "25000users", OwnerId = "nobody" },
                UpdateMask = new FieldMask { Paths = { "version", "owner_id" } },
            },
            cancellationToken: Cut);
        Assert.Equal(("10.3.0", acme.Size, "nobody"), (updated.Version, updated.Size, updated.OwnerId));
        var cleared = await system.Client.UpdateInstallationAsync(
            new()
            {
                Installation = new() { Name = acme.Name },
                UpdateMask = new FieldMask { Paths = { "mattermost_env", "owner_id" } },
                ValidateOnly = true,
            },
            cancellationToken: Cut);
        Assert.Equal("unowned", cleared.OwnerId);
        system.World.Open();
    }

    [Fact]
    public async Task A_second_wish_before_the_first_began_joins_it()
    {
        await using var system = await InstallationSystem.StartAsync();
        var acme = await system.StableAsync("acme");
        system.World.Close();
        await UpdateAsync(system, acme.Name, wish => wish.Version = "10.2.0");
        await UpdateAsync(system, acme.Name, wish => wish.Size = "1000users");
        system.World.Open();
        await system.UntilAsync(
            acme.Name, i => i is { State: "stable", Version: "10.2.0", Size: "1000users" }, "both changes");
        var spec = system.World.Look(w => Assert.Single(w.ClusterInstallations).Spec)!;
        Assert.Equal(("10.2.0", "1000users"), (spec.Version, spec.Size));
    }

    [Fact]
    public async Task An_update_whose_pods_never_come_up_fails_and_another_wish_mends_it()
    {
        await using var system = await InstallationSystem.StartAsync(fakeClock: true);
        var acme = await system.StableAsync("acme");
        system.World.PodsSettle = false;
        await UpdateAsync(system, acme.Name, wish => wish.Version = "does-not-exist");
        await system.UntilWaitingAsync(acme.Name, "clusterInstallations/");
        system.Clock!.Advance(InstallationRules.PodsGiveUpAfter);
        await system.UntilAsync(acme.Name, "update-failed");

        system.World.PodsSettle = true;
        await UpdateAsync(system, acme.Name, wish => wish.Version = "10.2.0");
        await system.UntilAsync(acme.Name, i => i is { State: "stable", Version: "10.2.0" }, "mended");
    }

    [Fact]
    public async Task A_failed_update_can_be_retried_as_it_is()
    {
        await using var system = await InstallationSystem.StartAsync(fakeClock: true);
        var acme = await system.StableAsync("acme");
        system.World.PodsSettle = false;
        await UpdateAsync(system, acme.Name, wish => wish.Version = "10.2.0");
        await system.UntilWaitingAsync(acme.Name, "clusterInstallations/");
        system.Clock!.Advance(InstallationRules.PodsGiveUpAfter);
        await system.UntilAsync(acme.Name, "update-failed");

        await system.Client.RetryInstallationAsync(new() { Name = acme.Name }, cancellationToken: Cut);
        await system.World.SettleAsync(acme.Name);
        await system.UntilAsync(acme.Name, "stable");
    }

    private static async Task<Proto.Installation> UpdateAsync(
        InstallationSystem system, string name, Action<Proto.Installation> change)
    {
        var wish = new Proto.Installation { Name = name };
        change(wish);
        return await system.Client.UpdateInstallationAsync(new() { Installation = wish }, cancellationToken: Cut);
    }
}
