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

        Assert.Equal(await SchemaDocument.WrittenAsync("Installation", schema, ct), schema);
    }
}
