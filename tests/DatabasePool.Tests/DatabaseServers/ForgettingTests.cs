using Cloud.DatabaseServers;
using Cloud.LocalPostgres;
using Cloud.Providers;
using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Xunit;
using Proto = Cloud.Protos.DatabasePool.V1;

namespace Cloud.DatabasePool.Tests.DatabaseServers;

/// <summary>Servers that are let go, and what is kept of them.</summary>
public sealed class ForgettingTests(PoolWorld world) : IClassFixture<PoolWorld>
{
    /// <summary>Well below the time after which a pool closes idle connections by itself.</summary>
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_silent_server_is_forgotten_once_all_on_it_are_to_go_and_they_go_with_it()
    {
        using var files = new TemporaryDirectory();
        var own = await PostgresServer.StartAsync(files.Path, PostgresProcess.FreePort(), Ct);
        var server = await world.RegisterAsync(own, Ct);
        var (one, other) = (ResourceId.New(), ResourceId.New());
        var leaving = await world.StableDatabaseAsync(one, Ct);
        var living = await world.StableDatabaseAsync(other, Ct);
        Assert.Equal("DATABASE_SERVER_ANSWERS", (await Refusal.OfAsync(ForgetAsync(server))).Reason);
        await own.DisposeAsync();
        await DeleteAsync(leaving);
        await world.ServerUntilAsync(server.Name, s => !s.Reachable, Ct);

        var inUse = await Refusal.OfAsync(ForgetAsync(server));
        Assert.Equal((StatusCode.FailedPrecondition, "DATABASE_SERVER_IN_USE"), (inUse.Code, inUse.Reason));
        Assert.Equal(living.Name, inUse.Metadata["names"]);
        await DeleteAsync(living);
        var forgotten = await ForgetAsync(server);

        Assert.Equal("deleted", forgotten.State);
        string[] left =
        [
            $"databases/cloud_{one}", $"roles/user_{one}", $"databases/cloud_{other}", $"roles/user_{other}",
        ];
        Assert.Equal(left.Order(), forgotten.LeftBehind.Order());
        await world.DatabaseUntilAsync(leaving.Name, d => d.State == "deleted", Ct);
        await world.DatabaseUntilAsync(living.Name, d => d.State == "deleted", Ct);
    }

    [Fact]
    public async Task Every_process_drops_its_connections_to_a_server_that_was_let_go()
    {
        using var files = new TemporaryDirectory();
        await using var own = await PostgresServer.StartAsync(files.Path, PostgresProcess.FreePort(), Ct);
        await using var second = world.Start();
        var server = await world.RegisterAsync(own, Ct);
        var row = await world.Service.Services.GetRequiredService<DatabaseServerStore>()
            .FindAsync(server.Name.Split('/')[1], Ct);
        foreach (var services in (IServiceProvider[])[world.Service.Services, second.Services])
        {
            await services.GetRequiredService<PostgresServers>().InspectAsync(
                services.GetRequiredService<AdminPasswords>().AddressOf(row!), Ct);
        }

        Assert.Equal(2, await ConnectionsAsync(own));
        await world.Servers.DeleteDatabaseServerAsync(new() { Name = server.Name }, cancellationToken: Ct);

        using var soon = new CancellationTokenSource(Soon);
        while (await ConnectionsAsync(own) > 0)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, soon.Token);
        }
    }

    private static Task<long> ConnectionsAsync(PostgresProcess own) => CustomerServer.AskAsync<long>(
        own.ConnectionString,
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'cloud-database-pool'",
        Ct);

    private AsyncUnaryCall<Proto.DatabaseServer> ForgetAsync(Proto.DatabaseServer server) =>
        world.Servers.DeleteDatabaseServerAsync(new() { Name = server.Name, Force = true }, cancellationToken: Ct);

    private async Task DeleteAsync(Proto.LogicalDatabase row) =>
        await world.Databases.DeleteLogicalDatabaseAsync(
            new() { Name = row.Name, InstallationEpoch = 1 }, cancellationToken: Ct);
}
