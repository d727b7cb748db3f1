using Cloud.DatabasePool.Tests.Journeys;
using Cloud.DatabaseServers;
using Cloud.LogicalDatabases;
using Cloud.Protos.Supervision.V1;
using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Xunit;
using Proto = Cloud.Protos.DatabasePool.V1;

namespace Cloud.DatabasePool.Tests.LogicalDatabases;

/// <summary>Databases whose server went away before anything of them was made there.</summary>
public sealed class RechoiceTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_database_that_was_never_begun_goes_elsewhere_when_its_server_is_silent_for_a_while()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var world = new PoolWorld { Clock = clock };
        await world.InitializeAsync();
        var (silent, row) = await CreateOnSilentServerAsync(world);
        var other = await world.StableServerAsync(Ct, "localhost");
        Assert.Equal(silent.Name, (await GetAsync(world, row)).DatabaseServer);

        var made = world.DatabaseUntilAsync(row.Name, d => d.State == "stable", Ct);
        while (!made.IsCompleted)
        {
            // Slowly enough that a step of a busy machine ends before its deadline.
            clock.Advance(TimeSpan.FromSeconds(10));
            await Task.WhenAny(made, Task.Delay(TimeSpan.FromMilliseconds(250), TimeProvider.System, Ct));
        }

        var stable = await made;
        Assert.Equal(other.Name, stable.DatabaseServer);
        Assert.True(await CustomerServer.HasTraceOfAsync(stable.Installation.Split('/')[1], Ct));
    }

    [Fact]
    public async Task It_goes_at_once_when_its_server_is_closed()
    {
        await using var world = new PoolWorld();
        await world.InitializeAsync();
        var (silent, row) = await CreateOnSilentServerAsync(world);
        var other = await world.StableServerAsync(Ct, "localhost");

        await world.Servers.UpdateDatabaseServerAsync(
            new()
            {
                DatabaseServer = new() { Name = silent.Name, AllowDatabases = false },
                UpdateMask = new() { Paths = { "allow_databases" } },
            },
            cancellationToken: Ct);

        var made = await world.DatabaseUntilAsync(row.Name, d => d.State == "stable", Ct);
        Assert.Equal(other.Name, made.DatabaseServer);
    }

    [Fact]
    public async Task Its_deletion_does_not_wait_for_a_server_on_which_nothing_was_begun()
    {
        await using var world = new PoolWorld();
        await world.InitializeAsync();
        var (_, row) = await CreateOnSilentServerAsync(world);

        await world.DropAsync(row.Name, Ct);
    }

    [Fact]
    public async Task Whoever_was_about_to_begin_finds_it_moved_and_one_that_was_begun_stays()
    {
        await using var world = new PoolWorld();
        await world.InitializeAsync();
        var store = world.Service.Services.GetRequiredService<LogicalDatabaseStore>();
        var rechoice = world.Service.Services.GetRequiredService<Rechoice>();
        var (silent, moving) = await CreateOnSilentServerAsync(world);
        var staying = await ChooseAsync(world, silent);
        var other = await world.StableServerAsync(Ct, "localhost");
        var closed = (await world.Service.Services.GetRequiredService<DatabaseServerStore>()
            .FindAsync(silent.Name.Split('/')[1], Ct))! with { AllowDatabases = false };

        var seen = (await store.FindAsync(moving.Name.Split('/')[1], Ct))!;
        Assert.Equal(other.Name, (await rechoice.MoveAsync(seen, closed, Ct))?.Name);
        Assert.False(await store.BeginAsync(seen, Ct));

        var begun = (await store.FindAsync(staying.Name.Split('/')[1], Ct))!;
        Assert.True(await store.BeginAsync(begun, Ct));
        Assert.Null(await rechoice.MoveAsync(begun, closed, Ct));
    }

    [Fact]
    public async Task Who_watches_its_server_sees_it_go_to_another()
    {
        await using var world = new PoolWorld();
        await world.InitializeAsync();
        var services = world.Service.Services;
        var (silent, row) = await CreateOnSilentServerAsync(world);
        var other = await world.StableServerAsync(Ct, "localhost");
        using var stream = world.Databases.WatchLogicalDatabases(
            new() { DatabaseServer = silent.Name }, cancellationToken: Patience.Token);
        Assert.Equal(silent.Name, (await NextAsync(stream)).LogicalDatabase.DatabaseServer);
        var token = (await NextAsync(stream)).ResumeToken;

        var closed = (await services.GetRequiredService<DatabaseServerStore>()
            .FindAsync(silent.Name.Split('/')[1], Ct))! with { AllowDatabases = false };
        var seen = (await services.GetRequiredService<LogicalDatabaseStore>().FindAsync(row.Name.Split('/')[1], Ct))!;
        Assert.NotNull(await services.GetRequiredService<Rechoice>().MoveAsync(seen, closed, Ct));

        Assert.Equal(other.Name, (await NextAsync(stream)).LogicalDatabase.DatabaseServer);
        using var resumed = world.Databases.WatchLogicalDatabases(
            new() { DatabaseServer = silent.Name, ResumeToken = token }, cancellationToken: Patience.Token);
        Assert.Equal(other.Name, (await NextAsync(resumed)).LogicalDatabase.DatabaseServer);

        static async Task<Proto.WatchLogicalDatabasesResponse> NextAsync(
            AsyncServerStreamingCall<Proto.WatchLogicalDatabasesResponse> of)
        {
            do
            {
                Assert.True(await of.ResponseStream.MoveNext(Patience.Token));
            }
            while (of.ResponseStream.Current.Kind == WatchKind.Bookmark);

            return of.ResponseStream.Current;
        }
    }

    /// <summary>A server that answered once and then no more, and a database that was to be made there.</summary>
    private static async Task<(Proto.DatabaseServer Server, Proto.LogicalDatabase Row)> CreateOnSilentServerAsync(
        PoolWorld world)
    {
        var registration = await PoolWorld.RegistrationAsync("127.0.0.1", Ct);
        var door = new Door(registration.DatabaseServer.Port);
        door.Open();
        registration.DatabaseServer.Port = door.Port;
        var server = await world.Servers.RegisterDatabaseServerAsync(registration, cancellationToken: Ct);
        await world.ServerUntilAsync(server.Name, s => s.State == "stable", Ct);
        await door.DisposeAsync();

        var row = await ChooseAsync(world, server);
        return (await world.ServerUntilAsync(server.Name, s => !s.Reachable, Ct), row);
    }

    /// <summary>A database that the server was chosen for before anybody knew that it does not answer.</summary>
    private static async Task<Proto.LogicalDatabase> ChooseAsync(PoolWorld world, Proto.DatabaseServer server)
    {
        var services = world.Service.Services;
        var row = await services.GetRequiredService<Database>().InTransactionAsync(
            (tx, ct) => services.GetRequiredService<LogicalDatabaseStore>().InsertAsync(
                tx,
                new LogicalDatabase
                {
                    Id = ResourceId.New(),
                    State = LogicalDatabaseState.CreationRequested,
                    InstallationId = ResourceId.New(),
                    DatabaseServerId = server.Name.Split('/')[1],
                    ConnectionLimit = LogicalDatabase.ConnectionLimitDefault,
                },
                "it was chosen",
                ct),
            Ct);
        return await world.Databases.GetLogicalDatabaseAsync(new() { Name = row.Name }, cancellationToken: Ct);
    }

    private static async Task<Proto.LogicalDatabase> GetAsync(PoolWorld world, Proto.LogicalDatabase row) =>
        await world.Databases.GetLogicalDatabaseAsync(new() { Name = row.Name }, cancellationToken: Ct);
}
