using Cloud.LogicalDatabases;
using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Xunit;

namespace Cloud.DatabasePool.Tests.DatabaseServers;

/// <summary>What triggers keep up.</summary>
public sealed class LoadTests
{
    [Fact]
    public async Task Databases_are_counted_by_server_however_they_change()
    {
        var ct = TestContext.Current.CancellationToken;
        await using var database = await PostgresServer.DatabaseAsync(
            "database_pool",
            (source, cut) => Migrations.RunAsync(source, typeof(LogicalDatabaseRules).Assembly, cut),
            ct);

        Assert.Empty(await KeptSums.WrongAfterAsync(
            database,
            "database_pool",
            [
                """
                INSERT INTO logical_databases (
                    id, state, version, epoch, attempts, state_since, update_time, create_time, installation_id,
                    database_server_id, connection_limit, holder_epoch)
                SELECT n, CASE WHEN n = 1 THEN 'deleted' ELSE 'creation-requested' END, 1, 1, 0, now(), now(), now(), n,
                       CASE WHEN n % 2 = 0 THEN 'here' ELSE 'there' END, 1, 1
                  FROM generate_series(1, 9) AS n
                """,
                "UPDATE logical_databases SET state = 'stable' WHERE state <> 'deleted'",
                "UPDATE logical_databases SET database_server_id = 'elsewhere' WHERE id < '5'",
                "UPDATE logical_databases SET state = 'deleted' WHERE id < '7'",
                "UPDATE logical_databases SET state = 'stable' WHERE id = '4'",
                // By hand, from wherever one is.
                "SET search_path TO pg_catalog; DELETE FROM database_pool.logical_databases",
            ],
            ct));
    }
}
