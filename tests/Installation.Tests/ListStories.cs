using Cloud.Installations.Tests.World;
using Xunit;

namespace Cloud.Installations.Tests;

public sealed class ListStories
{
    private static CancellationToken Cut => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Pages_together_are_everything_oldest_first_and_a_token_fits_its_filter_only()
    {
        await using var system = await InstallationSystem.StartAsync();
        system.World.Close();
        var made = new List<string>();
        for (var n = 0; n < 7; n++)
        {
            made.Add((await system.CreateAsync($"acme-{n}")).Name);
        }

        var listed = new List<string>();
        var token = "";
        do
        {
            var page = await system.Client.ListInstallationsAsync(
                new() { PageSize = 3, PageToken = token }, cancellationToken: Cut);
            listed.AddRange(page.Installations.Select(i => i.Name));
            token = page.NextPageToken;
            if (token != "")
            {
                await Refused.With("PAGE_TOKEN_INVALID", async () => await system.Client.ListInstallationsAsync(
                    new() { PageToken = token, Filter = new() { OwnerId = "other" } }, cancellationToken: Cut));
            }
        }
        while (token != "");

        Assert.Equal(made, listed);
    }

    [Fact]
    public async Task Pages_of_large_installations_are_short_enough_for_any_client()
    {
        const int count = 20;
        await using var system = await InstallationSystem.StartAsync();
        system.World.Close();
        var made = await Task.WhenAll(Enumerable.Range(0, count).Select(async n =>
            (await system.Client.CreateInstallationAsync(
                new()
                {
                    NameHint = $"large-{n}",
                    Installation = new() { MattermostEnv = { ["LARGE"] = new() { Value = new string('x', 250_000) } } },
                },
                cancellationToken: Cut)).Name));

        var listed = new List<string>();
        var request = new Protos.Installation.V1.ListInstallationsRequest { PageSize = count };
        do
        {
            var page = await system.Client.ListInstallationsAsync(request, cancellationToken: Cut);
            Assert.NotEmpty(page.Installations);
            listed.AddRange(page.Installations.Select(i => i.Name));
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken != "");

        Assert.Equal(made.Order(), listed.Order());
    }

    [Fact]
    public async Task Filters_restrict_lists_and_counts_alike()
    {
        await using var system = await InstallationSystem.StartAsync();
        var acme = (await system.Client.CreateInstallationAsync(
            new()
            {
                Installation = new()
                {
                    OwnerId = "customer-1", DnsNames = { "acme.localhost", "chat.example.com" }, Version = "10.2.0",
                    Size = "1000users",
                },
            },
            cancellationToken: Cut)).Name;
        var other = (await system.CreateAsync("other")).Name;
        await system.UntilAsync(acme, "stable");
        await system.UntilAsync(other, "stable");
        await system.Client.HibernateInstallationAsync(new() { Name = other }, cancellationToken: Cut);
        await system.UntilAsync(other, "hibernating");

        async Task Finds(Protos.Installation.V1.InstallationFilter filter, params string[] names)
        {
            var list = await system.Client.ListInstallationsAsync(new() { Filter = filter }, cancellationToken: Cut);
            Assert.Equal(names, list.Installations.Select(i => i.Name));
            var count = await system.Client.CountInstallationsAsync(new() { Filter = filter }, cancellationToken: Cut);
            Assert.Equal(names.Length, count.Total);
        }

        await Finds(new(), acme, other);
        await Finds(new() { OwnerId = "customer-1" }, acme);
        await Finds(new() { DnsName = "chat" }, acme);
        await Finds(new() { DnsName = "Chat.Example.com" }, acme);
        await Finds(new() { DnsName = "example" });
        await Finds(new() { Version = "10.2.0" }, acme);
        await Finds(new() { Size = "100users" }, other);
        await Finds(new() { Cluster = PlacementSide.Cluster }, acme, other);
        await Finds(new() { States = { "hibernating", "deleted" } }, other);
        await Finds(new() { States = { "stable", "hibernating" }, Version = "10.2.0" }, acme);
        var counts = await system.Client.CountInstallationsAsync(new(), cancellationToken: Cut);
        Assert.Equal((1, 1), (counts.ByState["stable"], counts.ByState["hibernating"]));
    }
}
