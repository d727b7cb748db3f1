using Cloud.LocalPostgres;
using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Grpc.Core;
using Npgsql;
using Xunit;
using Proto = Cloud.Protos.DatabasePool.V1;

namespace Cloud.DatabasePool.Tests.LogicalDatabases;

public sealed class DeletionTests(PoolWorld world) : IClassFixture<PoolWorld>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Deletion_cuts_the_application_off_and_leaves_nothing()
    {
        var server = await world.StableServerAsync(Ct, "127.0.0.1");
        var id = ResourceId.New();
        var database = await world.StableDatabaseAsync(id, Ct);
        var credentials = await world.Databases.IssueLogicalDatabaseCredentialsAsync(
            new() { Name = database.Name, HolderEpoch = 1 }, cancellationToken: Ct);
        await using var application = NpgsqlDataSource.Create(CustomerServer.AsApplication(credentials));
        await using var connection = await application.OpenConnectionAsync(Ct);

        var deleted = await world.DropAsync(database.Name, Ct);

        Assert.NotNull(deleted.DeleteTime);
        Assert.False(await CustomerServer.HasTraceOfAsync(id, Ct));
        await using var command = new NpgsqlCommand("SELECT 1", connection);
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => command.ExecuteScalarAsync(Ct));

        // Again is fine, and a new one may come after it.
        await world.Databases.DeleteLogicalDatabaseAsync(
            new() { Name = database.Name, InstallationEpoch = 1 }, cancellationToken: Ct);
        var next = await world.StableDatabaseAsync(id, Ct);
        Assert.NotEqual(database.Name, next.Name);
        await world.DropAsync(next.Name, Ct);
        await LetGoAsync(server);
    }

    [Fact]
    public async Task A_superuser_who_is_connected_is_named_and_waited_for()
    {
        var server = await world.StableServerAsync(Ct, "127.0.0.1");
        var id = ResourceId.New();
        var database = await world.StableDatabaseAsync(id, Ct);
        var superuser = new NpgsqlConnectionStringBuilder(await PostgresServer.AdminConnectionStringAsync(Ct))
        {
            Database = database.DatabaseName, Pooling = false,
        };
        await using var backup = new NpgsqlConnection(superuser.ConnectionString);
        await backup.OpenAsync(Ct);

        await world.Databases.DeleteLogicalDatabaseAsync(
            new() { Name = database.Name, InstallationEpoch = 1 }, cancellationToken: Ct);
        var waiting = database;
        while (waiting.Progress.LastError is null)
        {
            // A failed try is no event that a watch would show.
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Ct);
            waiting = await world.Databases.GetLogicalDatabaseAsync(
                new() { Name = database.Name }, cancellationToken: Ct);
        }

        Assert.Equal(("deletion-requested", "DATABASE_IN_USE"), (waiting.State, waiting.Progress.LastError.Code));
        Assert.Contains(
            $"\"{superuser.Username}\" (pid {backup.ProcessID})",
            waiting.Progress.LastError.Message,
            StringComparison.Ordinal);

        await backup.CloseAsync();
        await world.DatabaseUntilAsync(database.Name, d => d.State == "deleted", Ct);
        Assert.False(await CustomerServer.HasTraceOfAsync(id, Ct));
        await LetGoAsync(server);
    }

    [Fact]
    public async Task A_server_with_databases_is_not_let_go()
    {
        var server = await world.StableServerAsync(Ct, "127.0.0.1");
        var database = await world.StableDatabaseAsync(ResourceId.New(), Ct);

        var refusal = await Refusal.OfAsync(world.Servers.DeleteDatabaseServerAsync(
            new() { Name = server.Name }, cancellationToken: Ct));
        Assert.Equal((StatusCode.FailedPrecondition, "DATABASE_SERVER_IN_USE"), (refusal.Code, refusal.Reason));
        Assert.Equal("1", refusal.Metadata["database_count"]);

        await world.DropAsync(database.Name, Ct);
        await LetGoAsync(server);
    }

    [Fact]
    public async Task A_server_that_is_away_is_waited_for_with_the_reason_and_told_as_soon_as_it_is_back()
    {
        using var files = new TemporaryDirectory();
        var port = PostgresProcess.FreePort();
        var own = await PostgresServer.StartAsync(files.Path, port, Ct);
        var server = await world.RegisterAsync(own, Ct);
        var id = ResourceId.New();
        var database = await world.StableDatabaseAsync(id, Ct);
        await own.DisposeAsync();

        await world.Databases.DeleteLogicalDatabaseAsync(
            new() { Name = database.Name, InstallationEpoch = 1 }, cancellationToken: Ct);
        // The first try that fails makes the server's own row look, which then says so.
        server = await world.ServerUntilAsync(server.Name, s => !s.Reachable, Ct);
        Assert.Contains("does not answer", server.UnreachableReason, StringComparison.Ordinal);
        var why = await world.Databases.WhyLogicalDatabaseAsync(new() { Name = database.Name }, cancellationToken: Ct);
        Assert.Equal(["deletion-requested", "stable"], why.Chain.Select(link => link.State));
        Assert.Contains("does not answer", why.Chain[1].Summary, StringComparison.Ordinal);

        // Nothing new goes there meanwhile.
        var refusal = await Refusal.OfAsync(world.CreateAsync(ResourceId.New(), Ct));
        Assert.Equal((StatusCode.ResourceExhausted, "DATABASE_SERVERS_FULL"), (refusal.Code, refusal.Reason));
        Assert.Contains("does not answer", refusal.Metadata[server.Name], StringComparison.Ordinal);

        await using var back = await PostgresServer.StartAsync(files.Path, port, Ct);
        // An operator who does not want to wait for the next look says so with an update that changes nothing much.
        await world.Servers.UpdateDatabaseServerAsync(
            new()
            {
                DatabaseServer = new() { Name = server.Name },
                AdminPassword = new NpgsqlConnectionStringBuilder(back.ConnectionString).Password,
            },
            cancellationToken: Ct);
        await world.DatabaseUntilAsync(database.Name, d => d.State == "deleted", Ct);
        Assert.False(await CustomerServer.AskAsync<bool>(
            back.ConnectionString, $"SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'user_{id}')", Ct));
        await LetGoAsync(server);
    }

    [Fact]
    public async Task A_server_that_turns_us_away_is_waited_for_and_its_new_password_is_enough()
    {
        const string changed = "changed";
        using var files = new TemporaryDirectory();
        await using var own = await PostgresServer.StartAsync(files.Path, PostgresProcess.FreePort(), Ct);
        var server = await world.RegisterAsync(own, Ct);
        var id = ResourceId.New();
        var database = await world.StableDatabaseAsync(id, Ct);
        await CustomerServer.AskAsync<string>(
            own.ConnectionString,
            $"ALTER ROLE \"{new NpgsqlConnectionStringBuilder(own.ConnectionString).Username}\" PASSWORD '{changed}'",
            Ct);
        // Who is in already would not notice for as long as the session is kept.
        var known = new NpgsqlConnectionStringBuilder(own.ConnectionString) { Password = changed }.ConnectionString;
        await CustomerServer.AskAsync<bool>(
            known,
            """
            SELECT every(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE pid <> pg_backend_pid() AND datname IS NOT NULL
            """,
            Ct);

        await world.Databases.DeleteLogicalDatabaseAsync(
            new() { Name = database.Name, InstallationEpoch = 1 }, cancellationToken: Ct);
        server = await world.ServerUntilAsync(
            server.Name, s => s.UnreachableReason.Contains("does not let role", StringComparison.Ordinal), Ct);
        Assert.Equal("stable", server.State);
        var refusal = await Refusal.OfAsync(world.CreateAsync(ResourceId.New(), Ct));
        Assert.Contains("does not let role", refusal.Metadata[server.Name], StringComparison.Ordinal);
        database = await world.Databases.GetLogicalDatabaseAsync(new() { Name = database.Name }, cancellationToken: Ct);
        Assert.Equal("deletion-requested", database.State);

        await world.Servers.UpdateDatabaseServerAsync(
            new() { DatabaseServer = new() { Name = server.Name }, AdminPassword = changed }, cancellationToken: Ct);
        await world.DatabaseUntilAsync(database.Name, d => d.State == "deleted", Ct);
        Assert.False(await CustomerServer.AskAsync<bool>(
            known, $"SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'user_{id}')", Ct));
        await LetGoAsync(server);
    }

    private async Task LetGoAsync(Proto.DatabaseServer server)
    {
        await world.Servers.DeleteDatabaseServerAsync(new() { Name = server.Name }, cancellationToken: Ct);
        await world.ServerUntilAsync(server.Name, s => s.State == "deleted", Ct);
    }
}
