using Cloud.Clusters;
using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Xunit;

namespace Cloud.ClusterTests;

public sealed class SchemaTests
{
    [Fact]
    public async Task The_schema_document_is_what_the_migrations_make()
    {
        var ct = TestContext.Current.CancellationToken;
        await using var database = await PostgresServer.DatabaseAsync(
            "cluster", (source, cut) => Migrations.RunAsync(source, typeof(ClusterService).Assembly, cut), ct);
        var schema = await SchemaDocument.OfAsync(database.ConnectionString, ct);
        var path = Path.Combine(Repository.Root, "services", "Cluster", "Migrations", "schema.sql");
        if (Environment.GetEnvironmentVariable("CLOUD_UPDATE_GOLDEN") == "1")
            await File.WriteAllTextAsync(path, schema, ct);
        else
            Assert.Equal(schema, File.Exists(path) ? await File.ReadAllTextAsync(path, ct) : "");
    }
}
