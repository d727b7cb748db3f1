using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Xunit;

namespace Cloud.Installations.Tests;

public sealed class SchemaTests
{
    [Fact]
    public async Task The_schema_document_is_what_the_migrations_make()
    {
        var ct = TestContext.Current.CancellationToken;
        await using var database = await PostgresServer.DatabaseAsync(
            "installation",
            (source, cut) => Migrations.RunAsync(source, typeof(InstallationRules).Assembly, cut),
            ct);
        var schema = await SchemaDocument.OfAsync(database.ConnectionString, ct);
        var path = Path.Combine(Repository.Root, "services", "Installation", "Migrations", "schema.sql");
        var document = File.Exists(path) ? await File.ReadAllTextAsync(path, ct) : "";
        Assert.True(document == schema, $"Put this into {path}:\n{schema}");
    }
}
