using Cloud.DatabaseServers;
using Cloud.LogicalDatabases;
using Cloud.Protos.Api.V1;
using Cloud.Providers;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Cloud.TestHost;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;
using Proto = Cloud.Protos.DatabasePool.V1;

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
        IReadOnlyList<long> seconds = [];

        await ActAsync(
            server.Name,
            _ => Task.FromResult(true),
            async (session, ct) => seconds = await session.QueryAsync(
                PostgresServer.SecondsUntilLostHostIsNoticed, null, reader => reader.GetInt64(0), ct));

        Assert.InRange(Assert.Single(seconds), 1, 30);
        await LetGoAsync(server.Name);
    }

    [Fact]
    public async Task A_session_that_broke_between_two_statements_is_trouble_of_the_server()
    {
        var server = await world.StableServerAsync(Ct);

        var failure = await Assert.ThrowsAsync<StepException>(() => ActAsync(
            server.Name,
            _ => Task.FromResult(true),
            async (session, ct) =>
            {
                await Assert.ThrowsAnyAsync<NpgsqlException>(
                    () => session.ExecuteAsync("SELECT pg_terminate_backend(pg_backend_pid())", ct));
                await session.ExecuteAsync("SELECT 1", ct);
            }));

        Assert.Equal(
            (ErrorReason.DatabaseServerUnreachable, true, true),
            (failure.Reason, failure.Retryable, failure.TargetFailed));
        await LetGoAsync(server.Name);
    }

    [Fact]
    public async Task Trouble_of_our_own_tables_is_not_put_down_to_the_server()
    {
        var server = await world.StableServerAsync(Ct);
        var own = new NpgsqlException("our own database is away");

        var failure = await Assert.ThrowsAsync<NpgsqlException>(
            () => ActAsync(server.Name, _ => throw own, (_, _) => Task.CompletedTask));

        Assert.Same(own, failure);
        await LetGoAsync(server.Name);
    }

    [Fact]
    public async Task After_its_room_is_released_an_older_creation_is_refused_and_nobody_waits_for_room()
    {
        var id = ResourceId.New();
        var full = await Refusal.OfAsync(world.CreateAsync(id, Ct, epoch: 4));
        Assert.Equal("DATABASE_SERVERS_FULL", full.Reason);
        var waiting = $"SELECT count(*) FROM room_requests WHERE installation_id = '{id}'";
        Assert.Equal(1, await CustomerServer.AskAsync<long>(world.OwnConnectionString, waiting, Ct));

        var release = new Proto.ReleaseRoomRequest { Installation = $"installations/{id}", InstallationEpoch = 5 };
        await world.Databases.ReleaseRoomAsync(release, cancellationToken: Ct);
        await world.Databases.ReleaseRoomAsync(release, cancellationToken: Ct);

        Assert.Equal(0, await CustomerServer.AskAsync<long>(world.OwnConnectionString, waiting, Ct));
        var late = await Refusal.OfAsync(world.CreateAsync(id, Ct, epoch: 4));
        Assert.Equal((StatusCode.Aborted, "EPOCH_STALE"), (late.Code, late.Reason));
        release.InstallationEpoch = 4;
        var stale = await Refusal.OfAsync(world.Databases.ReleaseRoomAsync(release, cancellationToken: Ct));
        Assert.Equal("EPOCH_STALE", stale.Reason);
    }

    private async Task<bool> ActAsync(
        string server,
        Func<CancellationToken, Task<bool>> isCurrent,
        Func<ServerSession, CancellationToken, Task> work)
    {
        var services = world.Service.Services;
        var row = await services.GetRequiredService<DatabaseServerStore>().FindAsync(server.Split('/')[1], Ct);
        var address = services.GetRequiredService<AdminPasswords>().AddressOf(row!);
        return await services.GetRequiredService<PostgresServers>().ActAsync(address, "anything", isCurrent, work, Ct);
    }

    private async Task LetGoAsync(string server)
    {
        await world.Servers.DeleteDatabaseServerAsync(new() { Name = server }, cancellationToken: Ct);
        await world.ServerUntilAsync(server, s => s.State == "deleted", Ct);
    }
}
