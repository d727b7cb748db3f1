using Cloud.LocalPostgres;
using Cloud.TestHost;
using Npgsql;
using Xunit;

namespace Cloud.AppHost.Tests;

public sealed class LocalPostgresTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_database_is_a_copy_of_the_migrated_template_and_its_role_sees_only_its_own_schema()
    {
        await using var first = await MigratedAsync();
        await using var second = await MigratedAsync();

        Assert.NotEqual(first.Name, second.Name);
        await using var dataSource = NpgsqlDataSource.Create(first.ConnectionString);
        Assert.Equal(1, await ScalarAsync(dataSource, "SELECT id FROM things"));
        var refused = await Assert.ThrowsAsync<PostgresException>(
            () => ScalarAsync(dataSource, "CREATE TABLE public.elsewhere (id int)"));
        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
    }

    [Fact]
    public async Task A_killed_server_comes_back_with_what_was_committed()
    {
        using var directory = new TemporaryDirectory();
        var port = PostgresProcess.FreePort();
        var server = await PostgresServer.StartAsync(directory.Path, port, Token);
        await using (var dataSource = NpgsqlDataSource.Create(server.ConnectionString + ";Pooling=false"))
        {
            await ScalarAsync(dataSource, "CREATE TABLE kept (id int)");
        }

        Assert.Null(new DirectoryInfo(directory.Path).LinkTarget);
        await server.KillAsync();
        Assert.True(server.Exited.IsCompleted);

        await using var again = await PostgresServer.StartAsync(directory.Path, port, Token);
        await using var after = NpgsqlDataSource.Create(again.ConnectionString + ";Pooling=false");
        Assert.Equal(0L, await ScalarAsync(after, "SELECT count(*) FROM kept"));
    }

    [Fact]
    public async Task Files_kept_elsewhere_for_a_closed_directory_do_not_come_back_when_it_is_made_anew()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Only root hands PostgreSQL to a user who may be kept out.");
        var closed = Directory.CreateTempSubdirectory("cloud-tests-");
        var directory = Path.Combine(closed.FullName, "postgres");
        var user = await UnprivilegedUser.ChooseAsync(Token);

        var first = await DataDirectory.PrepareAsync(directory, user, Token);
        try
        {
            Assert.Equal(first, await DataDirectory.PrepareAsync(directory, user, Token));

            Directory.Delete(directory);
            var second = await DataDirectory.PrepareAsync(directory, user, Token);
            Directory.Delete(second, recursive: true);
            Assert.NotEqual(first, second);
        }
        finally
        {
            Directory.Delete(first, recursive: true);
            closed.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Preparing_a_server_twice_changes_nothing_but_passwords()
    {
        using var directory = new TemporaryDirectory();
        await using var server = await PostgresServer.StartAsync(directory.Path, PostgresProcess.FreePort(), Token);
        var options = new PreparationOptions(
            "cloud", new Dictionary<string, string> { ["cluster"] = "one" }, "provisioner", "two");
        await Preparation.RunAsync(server.ConnectionString, options, Token);
        await Preparation.RunAsync(
            server.ConnectionString,
            options with { Roles = new Dictionary<string, string> { ["cluster"] = "it's another" } },
            Token);

        var address = new NpgsqlConnectionStringBuilder(server.ConnectionString)
        {
            Database = "cloud", Username = "cluster", Password = "it's another", Pooling = false,
        };
        await using var dataSource = NpgsqlDataSource.Create(address.ConnectionString);
        Assert.Equal("cluster", await ScalarAsync(dataSource, "SELECT current_schema()::text"));
    }

    [Fact]
    public async Task Binaries_named_but_absent_and_no_npm_say_what_to_install()
    {
        // A directory without PostgreSQL, as a machine without it; npm is kept from working by an unwritable target.
        var options = new PostgresOptions
        {
            Directory = "/tmp/unused", Port = 1, Password = "", Binaries = "/nonexistent",
            DownloadDirectory = "/dev/null/x",
        };

        var problem = await Assert.ThrowsAnyAsync<Exception>(
            () => PostgresBinaries.FindAsync(options, wantedMajor: null, Token));

        Assert.IsType<PostgresUnavailableException>(problem);
        Assert.Contains("apt-get install postgresql", problem.Message, StringComparison.Ordinal);
    }

    private static Task<TestDatabase> MigratedAsync() => PostgresServer.DatabaseAsync(
        "sample",
        async (dataSource, cancellationToken) =>
        {
            await using var command = dataSource.CreateCommand(
                "CREATE TABLE things (id int); INSERT INTO things VALUES (1)");
            await command.ExecuteNonQueryAsync(cancellationToken);
        },
        Token);

    private static async Task<object?> ScalarAsync(NpgsqlDataSource dataSource, string sql)
    {
        await using var command = dataSource.CreateCommand(sql);
        return await command.ExecuteScalarAsync(Token);
    }
}
