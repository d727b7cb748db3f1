using Cloud.LocalPostgres;
using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Grpc.Core;
using Npgsql;
using Xunit;
using Proto = Cloud.Protos.DatabasePool.V1;

namespace Cloud.DatabasePool.Tests.LogicalDatabases;

public sealed class CredentialsTests(PoolWorld world) : IClassFixture<PoolWorld>, IAsyncLifetime
{
    private const string Unreachable = "DATABASE_SERVER_UNREACHABLE";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var servers = await world.Servers.ListDatabaseServersAsync(new(), cancellationToken: Ct);
        if (servers.DatabaseServers.Count == 0)
        {
            await world.StableServerAsync(Ct);
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task Credentials_open_the_database_and_say_how()
    {
        var database = await world.StableDatabaseAsync(ResourceId.New(), Ct);

        var credentials = await IssueAsync(database, 1);

        Assert.EndsWith(
            $"/{database.DatabaseName}?sslmode=disable&connect_timeout=10",
            credentials.ConnectionString,
            StringComparison.Ordinal);
        Assert.Equal($"{credentials.ConnectionString}&binary_parameters=yes", credentials.DataSource);
        Assert.Equal(
            database.DatabaseName,
            await CustomerServer.AskAsync<string>(
                CustomerServer.AsApplication(credentials), "SELECT current_database()::text", Ct));
        var after = await world.Databases.GetLogicalDatabaseAsync(
            new() { Name = database.Name }, cancellationToken: Ct);
        Assert.NotNull(after.CredentialsIssueTime);
    }

    [Fact]
    public async Task Issuing_again_makes_the_former_password_invalid()
    {
        var database = await world.StableDatabaseAsync(ResourceId.New(), Ct);
        var former = await IssueAsync(database, 1);
        var latter = await IssueAsync(database, 1);

        var refused = await Assert.ThrowsAsync<PostgresException>(
            () => CustomerServer.AskAsync<int>(CustomerServer.AsApplication(former), "SELECT 1", Ct));

        Assert.Equal(PostgresErrorCodes.InvalidPassword, refused.SqlState);
        Assert.Equal(1, await CustomerServer.AskAsync<int>(CustomerServer.AsApplication(latter), "SELECT 1", Ct));
    }

    [Fact]
    public async Task The_password_is_kept_nowhere_but_as_a_verifier_on_the_server()
    {
        var database = await world.StableDatabaseAsync(ResourceId.New(), Ct);
        var credentials = await IssueAsync(database, 1);
        var password = new Uri(credentials.ConnectionString).UserInfo.Split(':')[1];

        var verifier = await CustomerServer.AskAsync<string>(
            $"SELECT rolpassword FROM pg_authid WHERE rolname = '{database.RoleName}'", Ct);
        var traces = await CustomerServer.AskAsync<long>(
            world.OwnConnectionString,
            $"""
             SELECT (SELECT count(*) FROM logical_databases AS l WHERE l::text LIKE '%{password}%')
                  + (SELECT count(*) FROM outbox AS o WHERE o::text LIKE '%{password}%')
                  + (SELECT count(*) FROM request_ledger AS r WHERE r::text LIKE '%{password}%')
             """,
            Ct);

        Assert.StartsWith("SCRAM-SHA-256$4096:", verifier, StringComparison.Ordinal);
        Assert.Equal(0, traces);
        Assert.Equal(40, password.Length);
        Assert.All(password, c => Assert.True(char.IsAsciiLetterOrDigit(c)));
    }

    [Fact]
    public async Task An_older_holder_is_refused_and_the_newer_ones_password_still_works()
    {
        var database = await world.StableDatabaseAsync(ResourceId.New(), Ct);
        var newer = await IssueAsync(database, 8);

        var refusal = await Refusal.OfAsync(world.Databases.IssueLogicalDatabaseCredentialsAsync(
            new() { Name = database.Name, HolderEpoch = 7 }, cancellationToken: Ct));

        Assert.Equal((StatusCode.Aborted, "EPOCH_STALE"), (refusal.Code, refusal.Reason));
        Assert.Equal(1, await CustomerServer.AskAsync<int>(CustomerServer.AsApplication(newer), "SELECT 1", Ct));
    }

    [Fact]
    public async Task Of_holders_that_ask_at_once_the_one_with_the_highest_epoch_has_the_password_that_works()
    {
        var database = await world.StableDatabaseAsync(ResourceId.New(), Ct);

        var answers = await Task.WhenAll(Enumerable.Range(1, 8).Select(async epoch =>
            (Epoch: epoch, Credentials: await TryIssueAsync(database, epoch))));

        var issued = answers.Where(answer => answer.Credentials is not null).OrderBy(answer => answer.Epoch).ToList();
        Assert.NotEmpty(issued);
        Assert.Equal(
            1,
            await CustomerServer.AskAsync<int>(
                CustomerServer.AsApplication(issued[^1].Credentials!), "SELECT 1", Ct));
    }

    [Fact]
    public async Task A_server_that_is_known_not_to_answer_is_not_asked()
    {
        await using var own = new PoolWorld();
        await own.InitializeAsync();
        await own.StableServerAsync(Ct);
        var database = await own.StableDatabaseAsync(ResourceId.New(), Ct);
        // It does answer; only the row says that it does not.
        await using var source = NpgsqlDataSource.Create(own.OwnConnectionString);
        await using var saying = source.CreateCommand(
            "UPDATE database_servers SET reachable = false, unreachable_reason = 'it sleeps'");
        await saying.ExecuteNonQueryAsync(Ct);

        var refusal = await Refusal.OfAsync(own.Databases.IssueLogicalDatabaseCredentialsAsync(
            new() { Name = database.Name, HolderEpoch = 1 }, cancellationToken: Ct));

        Assert.Equal((StatusCode.Unavailable, Unreachable), (refusal.Code, refusal.Reason));
        var after = await own.Databases.GetLogicalDatabaseAsync(new() { Name = database.Name }, cancellationToken: Ct);
        Assert.Null(after.CredentialsIssueTime);
    }

    [Fact]
    public async Task Asking_in_vain_makes_the_servers_row_say_that_it_does_not_answer()
    {
        using var files = new TemporaryDirectory();
        await using var own = new PoolWorld();
        await own.InitializeAsync();
        var process = await PostgresServer.StartAsync(files.Path, PostgresProcess.FreePort(), Ct);
        var server = await own.RegisterAsync(process, Ct);
        var database = await own.StableDatabaseAsync(ResourceId.New(), Ct);
        await process.DisposeAsync();

        var refusal = await Refusal.OfAsync(own.Databases.IssueLogicalDatabaseCredentialsAsync(
            new() { Name = database.Name, HolderEpoch = 1 }, cancellationToken: Ct));

        Assert.Equal((StatusCode.Unavailable, Unreachable), (refusal.Code, refusal.Reason));
        await own.ServerUntilAsync(server.Name, s => !s.Reachable, Ct);
    }

    [Fact]
    public async Task A_database_that_is_not_stable_has_no_credentials()
    {
        var database = await world.StableDatabaseAsync(ResourceId.New(), Ct);
        await world.DropAsync(database.Name, Ct);

        var refusal = await Refusal.OfAsync(world.Databases.IssueLogicalDatabaseCredentialsAsync(
            new() { Name = database.Name, HolderEpoch = 1 }, cancellationToken: Ct));

        Assert.Equal((StatusCode.FailedPrecondition, "STATE_WRONG"), (refusal.Code, refusal.Reason));
        Assert.Equal(("deleted", "stable"), (refusal.Metadata["state"], refusal.Metadata["allowed"]));
    }

    [Fact]
    public async Task An_unknown_or_malformed_name_is_told_apart()
    {
        var unknown = await Refusal.OfAsync(world.Databases.IssueLogicalDatabaseCredentialsAsync(
            new() { Name = $"logicalDatabases/{ResourceId.New()}" }, cancellationToken: Ct));
        var malformed = await Refusal.OfAsync(world.Databases.IssueLogicalDatabaseCredentialsAsync(
            new() { Name = "nonsense", HolderEpoch = -1 }, cancellationToken: Ct));

        Assert.Equal(StatusCode.NotFound, unknown.Code);
        Assert.Equal(StatusCode.InvalidArgument, malformed.Code);
        Assert.Equal(["name", "holder_epoch"], malformed.Fields);
    }

    /// <summary>Null when another holder was first, or is just being served.</summary>
    private async Task<Proto.LogicalDatabaseCredentials?> TryIssueAsync(Proto.LogicalDatabase database, long epoch)
    {
        try
        {
            return await IssueAsync(database, epoch);
        }
        catch (RpcException refused) when (refused.StatusCode is StatusCode.Aborted or StatusCode.Unavailable)
        {
            return null;
        }
    }

    private async Task<Proto.LogicalDatabaseCredentials> IssueAsync(Proto.LogicalDatabase database, long epoch) =>
        await world.Databases.IssueLogicalDatabaseCredentialsAsync(
            new() { Name = database.Name, HolderEpoch = epoch }, cancellationToken: Ct);
}
