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
}
