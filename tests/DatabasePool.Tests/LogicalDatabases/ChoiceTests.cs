using Cloud.DatabaseServers;
using Cloud.LogicalDatabases;
using Xunit;

namespace Cloud.DatabasePool.Tests.LogicalDatabases;

public sealed class ChoiceTests
{
    [Fact]
    public void Shares_follow_weights()
    {
        var servers = new[] { Server("a", weight: 100), Server("b", weight: 200), Server("c", weight: 300) };

        var filled = Fill(servers, 60);

        Assert.Equal([10, 20, 30], filled.Select(server => server.DatabaseCount));
    }

    [Fact]
    public void A_full_server_gives_its_share_to_the_others()
    {
        var filled = Fill([Server("a", max: 5), Server("b")], 20);

        Assert.Equal([5, 15], filled.Select(server => server.DatabaseCount));
    }

    [Fact]
    public void Every_server_without_room_says_why()
    {
        var choice = Choice.Of(
        [
            Server("a") with { State = DatabaseServerState.ProvisioningRequested },
            Server("b") with { State = DatabaseServerState.ProvisioningFailed, LastError = "wrong password" },
            Server("c") with { Reachable = false, UnreachableReason = "refused the connection" },
            Server("d") with { AllowDatabases = false },
            Server("e", max: 3) with { DatabaseCount = 3 },
            Server("f") with { State = DatabaseServerState.DeletionRequested },
        ]);

        Assert.Null(choice.Server);
        Assert.Equal(
            [
                "a: is being checked and not ready yet",
                "b: wrong password",
                "c: refused the connection",
                "d: takes no new databases (allow_databases is false)",
                "e: is full: 3 of 3 databases",
                "f: is being let go",
            ],
            choice.Refusals.Values);
    }

    [Fact]
    public void Without_servers_there_is_nothing_to_choose()
    {
        var choice = Choice.Of([]);

        Assert.Null(choice.Server);
        Assert.Empty(choice.Refusals);
    }

    [Fact]
    public void Equals_are_chosen_by_free_slots_and_then_by_id()
    {
        Assert.Equal("b", Choice.Of([Server("a", max: 5), Server("b", max: 6)]).Server!.Id);
        Assert.Equal("a", Choice.Of([Server("b"), Server("a")]).Server!.Id);
    }

    private static DatabaseServer[] Fill(DatabaseServer[] servers, int count)
    {
        for (var made = 0; made < count; made++)
        {
            var chosen = Choice.Of(servers).Server!;
            servers = [.. servers.Select(s => s.Id == chosen.Id ? s with { DatabaseCount = s.DatabaseCount + 1 } : s)];
        }

        return servers;
    }

    private static DatabaseServer Server(string id, int max = 300, int weight = 100) => new()
    {
        Id = id,
        State = DatabaseServerState.Stable,
        DisplayName = id,
        Host = id,
        Port = 5432,
        AdminUser = "admin",
        AdminPassword = "",
        SslMode = "disable",
        MaxDatabases = max,
        Weight = weight,
        AllowDatabases = true,
        Reachable = true,
    };
}
