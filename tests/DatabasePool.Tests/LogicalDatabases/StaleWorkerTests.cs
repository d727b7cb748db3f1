using Cloud.DatabaseServers;
using Cloud.LogicalDatabases;
using Cloud.Providers;
using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Cloud.DatabasePool.Tests.LogicalDatabases;

public sealed class StaleWorkerTests(PoolWorld world) : IClassFixture<PoolWorld>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_worker_that_slept_neither_brings_back_what_was_dropped_nor_drops_what_came_after()
    {
        var server = await world.StableServerAsync(Ct, "localhost");
        var id = ResourceId.New();
        var store = world.Service.Services.GetRequiredService<LogicalDatabaseStore>();
        var onServer = world.Service.Services.GetRequiredService<OnServer>();
        var made = await world.StableDatabaseAsync(id, Ct);
        var asCreated = await store.FindAsync(made.Name.Split('/')[1], Ct);
        var where = await onServer.ServerOfAsync(asCreated!, Ct);
        await world.DropAsync(made.Name, Ct);

        Assert.NotNull(await onServer.ActAsync(asCreated!, where, CustomerDatabase.EnsureAsync, Ct));
        Assert.False(await CustomerServer.HasTraceOfAsync(id, Ct));

        var next = await world.StableDatabaseAsync(id, Ct);
        Assert.NotNull(await onServer.ActAsync(asCreated!, where, CustomerDatabase.EnsureGoneAsync, Ct));
        Assert.True(await CustomerServer.HasTraceOfAsync(id, Ct));
        await world.DropAsync(next.Name, Ct);
        await LetGoAsync(server.Name);
    }

    [Fact]
    public async Task The_lock_of_a_host_that_is_lost_ends_within_half_a_minute()
    {
        var server = await world.StableServerAsync(Ct);
        var services = world.Service.Services;
        var row = await services.GetRequiredService<DatabaseServerStore>().FindAsync(server.Name.Split('/')[1], Ct);
        IReadOnlyList<long> seconds = [];

        await services.GetRequiredService<PostgresServers>().ActAsync(
            services.GetRequiredService<AdminPasswords>().AddressOf(row!),
            "anything",
            _ => Task.FromResult(true),
            async (session, ct) => seconds = await session.QueryAsync(
                PostgresServer.SecondsUntilLostHostIsNoticed, null, reader => reader.GetInt64(0), ct),
            Ct);

        Assert.InRange(Assert.Single(seconds), 1, 30);
        await LetGoAsync(server.Name);
    }

    private async Task LetGoAsync(string server)
    {
        await world.Servers.DeleteDatabaseServerAsync(new() { Name = server }, cancellationToken: Ct);
        await world.ServerUntilAsync(server, s => s.State == "deleted", Ct);
    }
}
