using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Dapper;
using Npgsql;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Storage;

public sealed class Pages
{
    private const int Askings = 20;
    private const int PageSize = 100;
    private const int PlannedBeforeOneIsKept = 5;

    private static CancellationToken Ct => Patience.Token;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_page_of_everything_that_is_asked_for_often_is_not_planned_each_time(bool goesOn)
    {
        var (planned, _) = await PlansAsync(asking => new Conditions().Page(
            goesOn ? new PageKey(DateTimeOffset.FromUnixTimeSeconds(asking), "1") : null, PageSize));
        Assert.InRange(planned, 0, PlannedBeforeOneIsKept);
    }

    [Fact]
    public async Task A_page_of_a_value_is_because_what_suits_one_value_reads_the_whole_table_for_another()
    {
        var (planned, kept) = await PlansAsync(_ => new Conditions().Equal("place", "few").Page(null, PageSize));
        Assert.InRange(planned, Askings - 1, Askings);
        Assert.Equal(0, kept);
    }

    /// <summary>How often PostgreSQL planned a page for its values, and how often it took a plan for any.</summary>
    private static async Task<(long Planned, long Kept)> PlansAsync(Func<int, Conditions> page)
    {
        await using var source = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(await PostgresServer.AdminConnectionStringAsync(Ct))
            {
                Pooling = false, MaxAutoPrepare = 10, AutoPrepareMinUsages = 2,
            });
        await using var connection = await source.OpenConnectionAsync(Ct);
        await connection.ExecuteAsync(
            """
            CREATE TEMP TABLE things (id text PRIMARY KEY, create_time timestamptz NOT NULL, place text NOT NULL);
            CREATE INDEX things_by_age ON things (create_time, id);
            CREATE INDEX things_by_place ON things (place, create_time, id);
            INSERT INTO things
            SELECT n::text, to_timestamp(n), CASE WHEN n % 20 = 0 THEN 'few' ELSE 'many' || n % 9 END
              FROM generate_series(1, 100000) AS n;
            ANALYZE things;
            """);
        for (var asking = 0; asking < Askings; asking++)
        {
            var conditions = page(asking);
            await connection.QueryAsync<string>($"SELECT id FROM things WHERE {conditions.Sql}", conditions.Values);
        }

        return await connection.QuerySingleAsync<(long, long)>(
            """
            SELECT custom_plans, generic_plans FROM pg_prepared_statements
             WHERE statement LIKE 'SELECT id FROM things%'
            """);
    }
}
