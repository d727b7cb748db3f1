using Cloud.Events;
using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Xunit;

namespace Cloud.Metrics.Tests.Fleet;

/// <summary>What triggers keep up.</summary>
public sealed class FleetCountTests
{
    [Fact]
    public async Task The_fleet_is_counted_however_it_changes()
    {
        var ct = TestContext.Current.CancellationToken;
        await using var database = await PostgresServer.DatabaseAsync(
            "metrics", (source, cut) => Migrations.RunAsync(source, typeof(EventService).Assembly, cut), ct);

        Assert.Empty(await KeptSums.WrongAfterAsync(
            database,
            "metrics",
            [
                """
                INSERT INTO fleet
                SELECT 'installations/' || n, 'installation', '',
                       CASE WHEN n % 3 = 0 THEN 'stable' ELSE 'hibernating' END, 1, 'installation', now()
                  FROM generate_series(1, 20) AS n
                """,
                """
                INSERT INTO fleet
                SELECT 'installations/' || n, 'installation', '', 'deleted', 2, 'installation', now()
                  FROM generate_series(15, 25) AS n
                ON CONFLICT (resource) DO UPDATE SET state = excluded.state
                """,
                "UPDATE fleet SET state = 'stable' WHERE resource < 'installations/2'",
                "DELETE FROM fleet WHERE state = 'deleted'",
                // By hand, from wherever one is.
                "SET search_path TO pg_catalog; DELETE FROM metrics.fleet",
            ],
            ct));
    }
}
