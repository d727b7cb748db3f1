using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Npgsql;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Storage;

/// <summary>Sessions of which the driver says by no exception of its own that they are of no use any more. A driver
/// that says it otherwise fails these tests, and what is made of it has to follow.</summary>
public sealed class LostSessions
{
    private static CancellationToken Ct => Patience.Token;

    [Fact]
    public async Task One_that_broke_between_two_statements_counts_as_the_database_being_away()
    {
        await using var source = await SourceAsync();
        await using var connection = await source.OpenConnectionAsync(Ct);
        await Assert.ThrowsAnyAsync<NpgsqlException>(
            () => AskAsync(connection, "SELECT pg_terminate_backend(pg_backend_pid())::text"));

        var said = await Assert.ThrowsAsync<InvalidOperationException>(() => AskAsync(connection, "SELECT 'x'"));

        Assert.True(DatabaseTrouble.IsAway(said));
    }

    [Fact]
    public async Task So_does_one_that_takes_a_query_for_a_statement_without_rows()
    {
        await using var source = await SourceAsync();
        await using var connection = await source.OpenConnectionAsync(Ct);
        const string sql = "SELECT $1";
        Assert.Equal("x", await AskAsync(connection, sql, "x"));
        // Prepared here, and not bound: as when a cancel comes just then.
        await Assert.ThrowsAsync<PostgresException>(() => AskAsync(connection, sql, "\0"));

        var said = await Assert.ThrowsAsync<Exception>(() => AskAsync(connection, sql, "x"));

        Assert.True(DatabaseTrouble.IsAway(said));
        await using var next = await source.OpenConnectionAsync(Ct);
        Assert.Equal("x", await AskAsync(next, sql, "x"));
    }

    [Fact]
    public void Other_mistakes_do_not()
    {
        Assert.False(DatabaseTrouble.IsAway(new InvalidOperationException("Connection is not open")));
        Assert.False(DatabaseTrouble.IsAway(new ArgumentException("wrong") { Source = "Npgsql" }));
    }

    private static async Task<NpgsqlDataSource> SourceAsync() => NpgsqlDataSource.Create(
        new NpgsqlConnectionStringBuilder(await PostgresServer.AdminConnectionStringAsync(Ct))
        {
            Pooling = false, MaxAutoPrepare = 10, AutoPrepareMinUsages = 2,
        });

    private static async Task<string?> AskAsync(NpgsqlConnection connection, string sql, string? value = null)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        if (value is not null)
        {
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = value });
        }

        return (string?)await command.ExecuteScalarAsync(Ct);
    }
}
