using Cloud.Installations.Tests.World;
using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Hosting;
using Grpc.Core;
using Xunit;

namespace Cloud.Installations.Tests;

public sealed class WhyStories
{
    private static CancellationToken Cut => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_waits_for_its_pods_leads_into_the_cluster_service()
    {
        await using var system = await InstallationSystem.StartAsync();
        system.World.PodsSettle = false;
        var acme = await system.CreateAsync("acme");
        var made = await system.UntilAsync(acme.Name, i => i.ClusterInstallation != "", "created in its cluster");
        var why = await system.Client.WhyInstallationAsync(new() { Name = acme.Name }, cancellationToken: Cut);
        Assert.Equal(
            [(acme.Name, 0), (made.ClusterInstallation, 1), (made.LogicalDatabase, 1)],
            why.Chain.Select(link => (link.Resource, link.Depth)));
        Assert.Contains("waits to become stable", why.Chain[0].Summary, StringComparison.Ordinal);
        Assert.Equal("creation-in-progress", why.Chain[0].State);
    }

    [Fact]
    public async Task What_waits_for_its_database_leads_into_the_database_pool()
    {
        await using var system = await InstallationSystem.StartAsync();
        system.World.DatabasesSettle = false;
        var acme = await system.CreateAsync("acme");
        var made = await system.UntilAsync(acme.Name, i => i.LogicalDatabase != "", "a database asked for");
        var why = await system.Client.WhyInstallationAsync(new() { Name = acme.Name }, cancellationToken: Cut);
        Assert.Equal(["installation", "database-pool"], why.Chain.Select(link => link.Service));
        Assert.Equal(made.LogicalDatabase, why.Chain[1].Resource);
    }

    [Fact]
    public async Task What_waits_for_room_says_where_there_is_none_and_what_to_do()
    {
        await using var system = await InstallationSystem.StartAsync();
        system.World.ClusterRoom = 0;
        var acme = await system.CreateAsync("acme");
        await system.UntilWaitingAsync(acme.Name, "100 % of its CPU is taken");
        var why = await system.Client.WhyInstallationAsync(new() { Name = acme.Name }, cancellationToken: Cut);
        var link = Assert.Single(why.Chain);
        Assert.Contains("100 % of its CPU is taken", link.Summary, StringComparison.Ordinal);
        Assert.Contains("import a cluster", Assert.Single(link.Advice), StringComparison.Ordinal);
        Assert.NotNull(link.Progress.NextAttemptTime);
    }

    [Fact]
    public async Task A_service_that_does_not_answer_is_the_answer()
    {
        await using var system = await InstallationSystem.StartAsync();
        system.World.PodsSettle = false;
        var acme = await system.CreateAsync("acme");
        await system.UntilAsync(acme.Name, i => i.ClusterInstallation != "", "created in its cluster");
        system.World.Refusal = _ =>
            Problem.Unavailable(ErrorReason.Starting, "not yet", TimeSpan.FromSeconds(1))
                .ToRpcStatus().ToRpcException();
        var why = await system.Client.WhyInstallationAsync(new() { Name = acme.Name }, cancellationToken: Cut);
        Assert.All(why.Chain.Skip(1), link => Assert.Contains("not yet", link.Summary, StringComparison.Ordinal));
        Assert.Equal(["installation", "cluster", "database-pool"], why.Chain.Select(link => link.Service));
    }

    [Fact]
    public async Task One_at_rest_says_that_nothing_is_awaited()
    {
        await using var system = await InstallationSystem.StartAsync();
        var acme = await system.StableAsync("acme");
        var why = await system.Client.WhyInstallationAsync(new() { Name = acme.Name }, cancellationToken: Cut);
        Assert.Equal("It runs; nothing is awaited.", why.Chain[0].Summary);
        Assert.Equal(["installation", "cluster", "database-pool"], why.Chain.Select(link => link.Service));
    }
}
