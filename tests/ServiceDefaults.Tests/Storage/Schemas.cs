using System.Reflection;
using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Npgsql;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Storage;

public sealed class Schemas
{
    private static CancellationToken Ct => Patience.Token;

    [Fact]
    public async Task Processes_that_start_together_migrate_once()
    {
        await using var empty = await PostgresServer.DatabaseAsync("empty", (_, _) => Task.CompletedTask, Ct);
        await using var source = NpgsqlDataSource.Create(empty.ConnectionString);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(
            _ => Migrations.RunAsync(source, Assembly.GetExecutingAssembly(), Ct)));
        var text = await SchemaDocument.OfAsync(empty.ConnectionString, Ct);
        Assert.Contains("weight double precision NOT NULL", text, StringComparison.Ordinal);
        Assert.Contains("UNIQUE (address)", text, StringComparison.Ordinal);
        await using var journal = source.CreateCommand(
            "SELECT count(*), count(DISTINCT scriptname) FROM schema_versions");
        await using var counts = await journal.ExecuteReaderAsync(Ct);
        Assert.True(await counts.ReadAsync(Ct));
        Assert.Equal((4L, 4L), (counts.GetInt64(0), counts.GetInt64(1)));
    }

    [Fact]
    public async Task A_migration_may_take_longer_than_other_statements()
    {
        await using var slow = await PostgresServer.DatabaseAsync("slow", (_, _) => Task.CompletedTask, Ct);
        await using var source = NpgsqlDataSource.Create(slow.ConnectionString + ";Command Timeout=1");
        await using var rival = await slow.Source.OpenConnectionAsync(Ct);
        await using var transaction = await rival.BeginTransactionAsync(Ct);
        await using (var inTheWay = new NpgsqlCommand("CREATE TABLE outbox (position bigint)", rival, transaction))
        {
            await inTheWay.ExecuteNonQueryAsync(Ct);
        }

        var migrating = Migrations.RunAsync(source, Assembly.GetExecutingAssembly(), Ct);
        await using var waited = slow.Source.CreateCommand(
            """
            SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
            AND clock_timestamp() - query_start > interval '1.5 s'
            """);
        while (!migrating.IsCompleted && (long)(await waited.ExecuteScalarAsync(Ct))! == 0)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Ct);
        }

        await transaction.RollbackAsync(Ct);
        await migrating;
    }
}
