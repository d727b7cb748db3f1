using Cloud.ServiceDefaults.Storage;
using Grpc.Core;
using Npgsql;
using Xunit;
using Proto = Cloud.Protos.DatabasePool.V1;

namespace Cloud.DatabasePool.Tests.LogicalDatabases;

public sealed class CreationTests(PoolWorld world) : IClassFixture<PoolWorld>, IAsyncLifetime
{
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
    public async Task An_installation_gets_a_database_and_a_role_under_the_predecessors_names()
    {
        var id = ResourceId.New();

        var database = await world.StableDatabaseAsync(id, Ct);

        Assert.Equal(
            ($"cloud_{id}", $"user_{id}", 20),
            (database.DatabaseName, database.RoleName, database.ConnectionLimit));
        Assert.Equal(
            $"user_{id}",
            await CustomerServer.AskAsync<string>(
                $"SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = 'cloud_{id}'", Ct));
        Assert.True(await CustomerServer.AskAsync<bool>(
            $"""
             SELECT rolcanlogin AND rolconnlimit = 20
                AND NOT (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)
               FROM pg_roles WHERE rolname = 'user_{id}'
             """,
            Ct));
    }

    [Fact]
    public async Task The_database_says_whose_it_is_and_by_which_claim_it_was_made()
    {
        var id = ResourceId.New();
        var database = await world.StableDatabaseAsync(id, Ct);

        var comment = await CustomerServer.AskAsync<string>(
            $"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'cloud_{id}'", Ct);

        Assert.Equal(
            $$$"""{"cloud":{"installation":"{{{id}}}","epoch":{{{database.Progress.Epoch}}}}}""", comment);
    }

    [Fact]
    public async Task The_role_may_connect_to_its_own_database_and_to_no_other_customers()
    {
        var mine = await world.StableDatabaseAsync(ResourceId.New(), Ct);
        var other = await world.StableDatabaseAsync(ResourceId.New(), Ct);
        var credentials = await IssueAsync(mine, 1);

        await CustomerServer.AskAsync<string>(
            CustomerServer.AsApplication(credentials), "CREATE TABLE posts (id int); INSERT INTO posts VALUES (1)", Ct);
        var refused = await Assert.ThrowsAsync<PostgresException>(() => CustomerServer.AskAsync<int>(
            CustomerServer.AsApplication(credentials, other.DatabaseName), "SELECT 1", Ct));

        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
        Assert.False(await CustomerServer.AskAsync<bool>(
            $"SELECT has_database_privilege('public', '{mine.DatabaseName}', 'CONNECT, TEMPORARY')", Ct));
    }

    [Fact]
    public async Task Asking_again_answers_the_same_database()
    {
        var id = ResourceId.New();
        var first = await world.StableDatabaseAsync(id, Ct);

        var again = await world.CreateAsync(id, Ct, epoch: 7);

        Assert.Equal(first, again);
    }

    [Fact]
    public async Task Many_who_ask_for_the_same_at_once_get_the_same_database()
    {
        var id = ResourceId.New();

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => world.CreateAsync(id, Ct)));

        Assert.Single(answers.Select(answer => answer.Name).Distinct());
    }

    [Fact]
    public async Task A_worker_with_an_older_epoch_is_refused()
    {
        var id = ResourceId.New();
        var database = await world.CreateAsync(id, Ct, epoch: 5);

        var create = await Refusal.OfAsync(world.CreateAsync(id, Ct, epoch: 4));
        var delete = await Refusal.OfAsync(world.Databases.DeleteLogicalDatabaseAsync(
            new() { Name = database.Name, InstallationEpoch = 4 }, cancellationToken: Ct));

        Assert.Equal((StatusCode.Aborted, "EPOCH_STALE"), (create.Code, create.Reason));
        Assert.Equal((StatusCode.Aborted, "EPOCH_STALE"), (delete.Code, delete.Reason));
    }

    [Fact]
    public async Task A_request_id_makes_one_database_and_is_not_taken_for_another()
    {
        var request = new Proto.CreateLogicalDatabaseRequest
        {
            LogicalDatabase = new() { Installation = $"installations/{ResourceId.New()}" },
            InstallationEpoch = 1,
            RequestId = ResourceId.New(),
        };
        var first = await world.Databases.CreateLogicalDatabaseAsync(request, cancellationToken: Ct);
        var again = await world.Databases.CreateLogicalDatabaseAsync(request, cancellationToken: Ct);
        Assert.Equal(first, again);

        request.LogicalDatabase.Installation = $"installations/{ResourceId.New()}";
        var refusal = await Refusal.OfAsync(world.Databases.CreateLogicalDatabaseAsync(request, cancellationToken: Ct));
        Assert.Equal("REQUEST_ID_REUSED", refusal.Reason);
    }

    [Fact]
    public async Task Everything_wrong_with_a_request_is_said_at_once()
    {
        var refusal = await Refusal.OfAsync(world.Databases.CreateLogicalDatabaseAsync(
            new() { InstallationEpoch = -1 }, cancellationToken: Ct));

        Assert.Equal(StatusCode.InvalidArgument, refusal.Code);
        Assert.Equal(["logical_database.installation", "installation_epoch"], refusal.Fields);
    }

    [Fact]
    public async Task A_refusal_for_want_of_room_names_so_many_servers_as_headers_can_carry()
    {
        await using var own = new PoolWorld();
        await own.InitializeAsync();
        var first = await PoolWorld.RegistrationAsync("localhost", Ct);
        first.DatabaseServer.AllowDatabases = false;
        await own.Servers.RegisterDatabaseServerAsync(first, cancellationToken: Ct);
        await CustomerServer.AskAsync<long>(
            own.OwnConnectionString,
            """
            WITH more AS (
                INSERT INTO database_servers
                SELECT (jsonb_populate_record(NULL::database_servers, to_jsonb(first) || jsonb_build_object(
                           'id', left(n || first.id, 26), 'display_name', 'more-' || n, 'host', 'more-' || n))).*
                  FROM database_servers first, generate_series(100, 400) n RETURNING 1)
            SELECT count(*) FROM more
            """,
            Ct);

        var refusal = await Refusal.OfAsync(own.CreateAsync(ResourceId.New(), Ct));

        Assert.Equal((StatusCode.ResourceExhausted, "DATABASE_SERVERS_FULL"), (refusal.Code, refusal.Reason));
        Assert.Equal(20, refusal.Metadata.Count);
        Assert.EndsWith("; and 282 more.", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_foreign_database_of_that_name_is_left_alone_and_named()
    {
        var id = ResourceId.New();
        await CustomerServer.AskAsync<string>($"CREATE DATABASE cloud_{id} TEMPLATE template0", Ct);

        var row = await world.CreateAsync(id, Ct);
        row = await world.DatabaseUntilAsync(row.Name, d => d.State == "creation-failed", Ct);

        Assert.Equal("DATABASE_NAME_TAKEN", row.Progress.LastError.Code);
        Assert.False(row.Progress.LastError.Retryable);

        // Once the operator has removed it, asking again makes it.
        await CustomerServer.AskAsync<string>($"DROP DATABASE cloud_{id}", Ct);
        await world.StableDatabaseAsync(id, Ct);
    }

    [Fact]
    public async Task Why_follows_a_database_to_its_server()
    {
        var row = await world.CreateAsync(ResourceId.New(), Ct);

        var why = await world.Databases.WhyLogicalDatabaseAsync(new() { Name = row.Name }, cancellationToken: Ct);

        Assert.Equal(row.Name, why.Chain[0].Resource);
        Assert.All(why.Chain, link => Assert.NotEmpty(link.Summary));
    }

    private async Task<Proto.LogicalDatabaseCredentials> IssueAsync(Proto.LogicalDatabase database, long epoch) =>
        await world.Databases.IssueLogicalDatabaseCredentialsAsync(
            new() { Name = database.Name, HolderEpoch = epoch }, cancellationToken: Ct);
}
