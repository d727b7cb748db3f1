using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Cloud.TestHost;
using Cloud.Webhooks;
using Xunit;

namespace Cloud.Metrics.Tests;

/// <summary>The documents that are drawn from the code.</summary>
public sealed class DocumentTests(FeedWorld world) : IClassFixture<FeedWorld>
{
    [Fact]
    public async Task The_diagram_in_the_readme_is_drawn_from_the_table()
    {
        // The table only names the step; drawing it runs none.
        var delivery = new Delivery(null!, null!, null!, null!, null!, null!, null!, TimeProvider.System);
        var diagram = Diagram.Of(new WebhookRules(delivery));
        var readme = await File.ReadAllTextAsync(
            Path.Combine(Repository.Root, "services", "Metrics", "README.md"), TestContext.Current.CancellationToken);

        Assert.True(readme.Contains(diagram, StringComparison.Ordinal), $"Put this into README.md:\n{diagram}");
    }

    [Fact]
    public void States_have_the_names_of_the_contract()
    {
        Assert.Equal(["enabled", "disabled", "deleted"], StateNames<WebhookState>.All);
        Assert.Equal(["pending", "succeeded", "failed", "cancelled"], StateNames<DeliveryStatus>.All);
    }

    [Fact]
    public async Task The_schema_document_is_all_migrations_added_up()
    {
        var ct = TestContext.Current.CancellationToken;
        var schema = await SchemaDocument.OfAsync(world.Own.ConnectionString, ct);

        Assert.Equal(await SchemaDocument.WrittenAsync("Metrics", schema, ct), schema);
    }
}
