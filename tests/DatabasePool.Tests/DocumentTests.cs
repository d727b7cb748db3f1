using Cloud.DatabaseServers;
using Cloud.LogicalDatabases;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Cloud.TestHost;
using Xunit;

namespace Cloud.DatabasePool.Tests;

/// <summary>The documents that are drawn from the code, and the names that others rely on.</summary>
public sealed class DocumentTests(PoolWorld world) : IClassFixture<PoolWorld>
{
    private static readonly string Service = Path.Combine(Repository.Root, "services", "DatabasePool");

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    // The tables only name the journeys' steps; drawing them runs none.
    public static TheoryData<string> Diagrams { get; } =
    [
        Diagram.Of(new DatabaseServerRules(
            new Registration(null!, null!, null!), new Cloud.DatabaseServers.Deletion())),
        Diagram.Of(new LogicalDatabaseRules(
            new Creation(null!, null!), new Cloud.LogicalDatabases.Deletion(null!, null!, null!))),
    ];

    [Theory]
    [MemberData(nameof(Diagrams))]
    public async Task The_diagrams_in_the_readme_are_drawn_from_the_tables(string diagram)
    {
        var readme = await File.ReadAllTextAsync(Path.Combine(Service, "README.md"), Ct);

        Assert.True(readme.Contains(diagram, StringComparison.Ordinal), $"Put this into README.md:\n{diagram}");
    }

    [Fact]
    public async Task The_schema_document_is_all_migrations_added_up()
    {
        var schema = await SchemaDocument.OfAsync(world.OwnConnectionString, Ct);

        Assert.Equal(await SchemaDocument.WrittenAsync("DatabasePool", schema, Ct), schema);
    }

    [Fact]
    public void States_have_the_names_of_the_contract()
    {
        Assert.Equal(
            ["provisioning-requested", "stable", "provisioning-failed", "deletion-requested", "deleted"],
            StateNames<DatabaseServerState>.All);
        Assert.Equal(
            ["creation-requested", "stable", "creation-failed", "deletion-requested", "deletion-failed", "deleted"],
            StateNames<LogicalDatabaseState>.All);
    }
}
