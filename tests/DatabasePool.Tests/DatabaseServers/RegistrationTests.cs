using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Grpc.Core;
using Npgsql;
using Xunit;
using Proto = Cloud.Protos.DatabasePool.V1;

namespace Cloud.DatabasePool.Tests.DatabaseServers;

public sealed class RegistrationTests(PoolWorld world) : IClassFixture<PoolWorld>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_server_that_answers_and_lets_its_role_create_becomes_stable()
    {
        var server = await world.StableServerAsync(Ct, "127.0.0.1");

        Assert.True(server.Reachable);
        Assert.StartsWith("15", server.ServerVersion, StringComparison.Ordinal);
        Assert.Equal(300, server.MaxDatabases);
        Assert.Equal(100, server.Weight);
        Assert.True(server.AllowDatabases);
        Assert.Equal("disable", server.SslMode);
        await LetGoAsync(server);
    }

    [Fact]
    public async Task The_password_is_neither_answered_nor_stored_in_the_clear()
    {
        var server = await world.StableServerAsync(Ct, "localhost");

        var stored = await CustomerServer.AskAsync<string>(
            world.OwnConnectionString,
            $"SELECT admin_password FROM database_servers WHERE id = '{server.Name.Split('/')[1]}'",
            Ct);
        Assert.NotEmpty(stored!);
        Assert.DoesNotContain(PostgresServer.Password, stored, StringComparison.Ordinal);
        Assert.DoesNotContain(PostgresServer.Password, server.ToString(), StringComparison.Ordinal);
        await LetGoAsync(server);
    }

    [Fact]
    public async Task Everything_wrong_with_a_registration_is_said_at_once()
    {
        var refusal = await Refusal.OfAsync(world.Servers.RegisterDatabaseServerAsync(
            new Proto.RegisterDatabaseServerRequest
            {
                DatabaseServer = new Proto.DatabaseServer
                {
                    DisplayName = " ",
                    Host = "not a host",
                    Port = 70_000,
                    MaxDatabases = -1,
                    Weight = 1001,
                    SslMode = "maybe",
                },
            },
            cancellationToken: Ct));

        Assert.Equal(StatusCode.InvalidArgument, refusal.Code);
        Assert.Equal(
            [
                "database_server.display_name", "database_server.host", "database_server.port",
                "database_server.admin_user", "database_server.max_databases", "database_server.weight",
                "database_server.ssl_mode", "admin_password",
            ],
            refusal.Fields);
    }

    [Fact]
    public async Task An_empty_registration_is_refused_with_every_field_that_is_needed()
    {
        var refusal = await Refusal.OfAsync(world.Servers.RegisterDatabaseServerAsync(new(), cancellationToken: Ct));

        Assert.Equal(
            ["database_server.display_name", "database_server.host", "database_server.admin_user", "admin_password"],
            refusal.Fields);
    }

    [Fact]
    public async Task A_server_that_does_not_answer_fails_with_the_reason_and_recovers_when_its_address_is_corrected()
    {
        var request = await PoolWorld.RegistrationAsync("127.0.0.5", Ct);
        var port = request.DatabaseServer.Port;
        request.DatabaseServer.Port = 1;
        var server = await FailedAsync(request);

        Assert.Equal("DATABASE_SERVER_UNREACHABLE", server.Progress.LastError.Code);
        Assert.Contains("127.0.0.5:1", server.Progress.LastError.Message, StringComparison.Ordinal);
        var http = world.Service.Http;
        var health = await http.GetStringAsync(new Uri("/health", UriKind.Relative), Ct);
        Assert.StartsWith("{\"status\":\"degraded\"", health, StringComparison.Ordinal);
        Assert.Contains($"do not do: {server.DisplayName} (", health, StringComparison.Ordinal);

        await world.Servers.UpdateDatabaseServerAsync(
            new Proto.UpdateDatabaseServerRequest
            {
                DatabaseServer = new Proto.DatabaseServer { Name = server.Name, Host = "127.0.0.1", Port = port },
                UpdateMask = new() { Paths = { "host", "port" } },
            },
            cancellationToken: Ct);
        server = await world.ServerUntilAsync(server.Name, s => s.State == "stable", Ct);
        Assert.Null(server.Progress.LastError);
        await LetGoAsync(server);
    }

    [Fact]
    public async Task A_wrong_password_fails_with_the_reason_and_the_right_one_cures_it()
    {
        var request = await PoolWorld.RegistrationAsync("localhost", Ct);
        var password = request.AdminPassword;
        request.AdminPassword = "wrong";
        var server = await FailedAsync(request);

        Assert.Equal("DATABASE_SERVER_AUTHENTICATION_FAILED", server.Progress.LastError.Code);
        var why = await world.Servers.WhyDatabaseServerAsync(new() { Name = server.Name }, cancellationToken: Ct);
        Assert.Contains("admin_password", Assert.Single(why.Chain).Summary, StringComparison.Ordinal);

        await world.Servers.UpdateDatabaseServerAsync(
            new Proto.UpdateDatabaseServerRequest
            {
                DatabaseServer = new Proto.DatabaseServer { Name = server.Name }, AdminPassword = password,
            },
            cancellationToken: Ct);
        await LetGoAsync(await world.ServerUntilAsync(server.Name, s => s.State == "stable", Ct));
    }

    [Fact]
    public async Task A_role_that_may_not_create_fails_with_the_command_that_helps()
    {
        await CustomerServer.AskAsync<string>(
            $"CREATE ROLE weak LOGIN PASSWORD '{PostgresServer.Password}'", Ct);
        var request = await PoolWorld.RegistrationAsync("localhost", Ct);
        request.DatabaseServer.AdminUser = "weak";
        var server = await FailedAsync(request);

        Assert.Equal("DATABASE_SERVER_LACKS_RIGHTS", server.Progress.LastError.Code);
        Assert.Contains(
            "ALTER ROLE \"weak\" CREATEDB CREATEROLE", server.Progress.LastError.Message, StringComparison.Ordinal);
        await LetGoAsync(server);
    }

    [Fact]
    public async Task Neither_a_name_nor_an_address_is_registered_twice()
    {
        var server = await world.StableServerAsync(Ct, "127.0.0.1");
        var again = await PoolWorld.RegistrationAsync("127.0.0.1", Ct);

        var address = await Refusal.OfAsync(world.Servers.RegisterDatabaseServerAsync(again, cancellationToken: Ct));
        Assert.Equal((StatusCode.AlreadyExists, "database_server.host"), (address.Code, address.Metadata["field"]));

        again.DatabaseServer.Host = "127.0.0.9";
        again.DatabaseServer.DisplayName = server.DisplayName.ToUpperInvariant();
        again.ValidateOnly = true;
        var name = await Refusal.OfAsync(world.Servers.RegisterDatabaseServerAsync(again, cancellationToken: Ct));
        Assert.Equal((StatusCode.AlreadyExists, "database_server.display_name"), (name.Code, name.Metadata["field"]));
        await LetGoAsync(server);

        // Let go, both are free again.
        await LetGoAsync(await world.StableServerAsync(Ct, "127.0.0.1"));
    }

    [Fact]
    public async Task A_superuser_closes_the_maintenance_databases_to_customers_roles()
    {
        using var files = new TemporaryDirectory();
        await using var own = await PostgresServer.StartAsync(files.Path, LocalPostgres.PostgresProcess.FreePort(), Ct);
        var address = new NpgsqlConnectionStringBuilder(own.ConnectionString);
        await using var administrator = new NpgsqlConnection(own.ConnectionString);
        await administrator.OpenAsync(Ct);
        await using var closing = await administrator.BeginTransactionAsync(Ct);
        await using var close = new NpgsqlCommand("REVOKE CONNECT ON DATABASE postgres FROM PUBLIC", administrator);
        await close.ExecuteNonQueryAsync(Ct);
        var server = await world.Servers.RegisterDatabaseServerAsync(
            new Proto.RegisterDatabaseServerRequest
            {
                DatabaseServer = new Proto.DatabaseServer
                {
                    DisplayName = "superuser's", Host = "127.0.0.1", Port = address.Port, AdminUser = address.Username,
                },
                AdminPassword = address.Password,
            },
            cancellationToken: Ct);
        while (await CustomerServer.AskAsync<long>(
            own.ConnectionString,
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'REVOKE%'",
            Patience.Token) == 0)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Patience.Token);
        }

        // Whoever waits for the same change is refused once it is made.
        await closing.CommitAsync(Ct);
        var admitted = await world.ServerUntilAsync(server.Name, s => s.State != "provisioning-requested", Ct);
        Assert.Equal("stable", admitted.State);
        var database = await world.StableDatabaseAsync(ResourceId.New(), Ct);

        var reachable = await CustomerServer.AskAsync<string[]>(
            own.ConnectionString,
            $"""
             SELECT array_agg(datname::text) FROM pg_database
              WHERE datallowconn AND has_database_privilege('{database.RoleName}', oid, 'CONNECT')
             """,
            Ct);
        Assert.Equal([database.DatabaseName], reachable!);
        await world.DropAsync(database.Name, Ct);
        await LetGoAsync(server);
    }

    [Fact]
    public async Task Open_databases_that_are_not_ours_to_close_are_named_to_the_operator()
    {
        var server = await world.StableServerAsync(Ct, "127.0.0.1");

        var why = await world.Servers.WhyDatabaseServerAsync(new() { Name = server.Name }, cancellationToken: Ct);

        Assert.Contains(why.Chain[0].Advice, advice => advice.Contains("postgres", StringComparison.Ordinal));
        await LetGoAsync(server);
    }

    private async Task<Proto.DatabaseServer> FailedAsync(Proto.RegisterDatabaseServerRequest request)
    {
        var server = await world.Servers.RegisterDatabaseServerAsync(request, cancellationToken: Ct);
        Assert.Equal("provisioning-requested", server.State);
        return await world.ServerUntilAsync(server.Name, s => s.State == "provisioning-failed", Ct);
    }

    private async Task LetGoAsync(Proto.DatabaseServer server)
    {
        await world.Servers.DeleteDatabaseServerAsync(new() { Name = server.Name }, cancellationToken: Ct);
        var gone = await world.ServerUntilAsync(server.Name, s => s.State == "deleted", Ct);
        Assert.NotNull(gone.DeleteTime);
    }
}
