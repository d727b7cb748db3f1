using System.Reflection;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Tests.Parcels;
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
        await using var depot = await Depot.OpenAsync(Ct);
        Assert.Equal(
            await SchemaText.OfAsync(depot.Source.ConnectionString + ";Password=" + PostgresServer.Password, Ct),
            (await SchemaText.OfAsync(empty.ConnectionString, Ct)));
    }

    [Fact]
    public async Task The_text_of_a_schema_tells_columns_constraints_and_indexes()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var text = await SchemaText.OfAsync(depot.Source.ConnectionString + ";Password=" + PostgresServer.Password, Ct);
        Assert.Contains("column parcels.weight: double precision NOT NULL\n", text, StringComparison.Ordinal);
        Assert.Contains("constraint parcels.parcels_address_key: UNIQUE (address)\n", text, StringComparison.Ordinal);
        Assert.Contains("WHERE (next_attempt_at IS NOT NULL)\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("schema_versions", text, StringComparison.Ordinal);
    }
}
