using System.Globalization;
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

        Assert.Equal(await SchemaDocument.WrittenAsync("Cluster", schema, ct), schema);
    }

    [Fact]
    public async Task What_is_reserved_is_summed_up_however_reservations_change()
    {
        const string one =
            "INSERT INTO reservations VALUES ('{0}', '{1}', '100users', '{2}', 250, 1024, 2, 'a test', now())";
        var ct = TestContext.Current.CancellationToken;
        await using var database = await PostgresServer.DatabaseAsync(
            "cluster", (source, cut) => Migrations.RunAsync(source, typeof(ClusterService).Assembly, cut), ct);

        Assert.Empty(await KeptSums.WrongAfterAsync(
            database, "cluster",
            [
                One("a", "here", "multitenant"), One("b", "here", "isolated"), One("c", "there", "multitenant"),
                "UPDATE reservations SET cpu_millis = 500, memory_bytes = 10, pods = 4 WHERE installation_id = 'a'",
                "UPDATE reservations SET cluster_id = 'there' WHERE installation_id <> 'c'",
                "UPDATE reservations SET reason = 'another'",
                "DELETE FROM reservations WHERE installation_id = 'b'",
                // By hand, from wherever one is.
                "SET search_path TO pg_catalog; DELETE FROM cluster.reservations",
            ],
            ct));

        string One(string id, string cluster, string affinity) =>
            string.Format(CultureInfo.InvariantCulture, one, id, cluster, affinity);
    }
}
