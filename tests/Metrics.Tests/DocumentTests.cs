using Cloud.TestHost;
using Xunit;

namespace Cloud.Metrics.Tests;

/// <summary>The documents that are drawn from the code.</summary>
public sealed class DocumentTests(FeedWorld world) : IClassFixture<FeedWorld>
{
    [Fact]
    public async Task The_schema_document_is_all_migrations_added_up()
    {
        var ct = TestContext.Current.CancellationToken;
        var file = Path.Combine(Repository.Root, "services", "Metrics", "Migrations", "schema.sql");

        var schema = await SchemaDocument.OfAsync(world.OwnConnectionString, ct);

        Assert.Equal(await File.ReadAllTextAsync(file, ct), schema);
    }
}
