using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Dapper;
using Npgsql;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Storage;

public sealed class Pages
{
    private const int Askings = 20;
    private const int PlannedBeforeOneIsKept = 5;

    private static CancellationToken Ct => Patience.Token;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_statement_that_is_asked_often_is_not_planned_each_time(bool goesOn)
    {
        await using var source = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(await PostgresServer.AdminConnectionStringAsync(Ct))
            {
                Pooling = false, MaxAutoPrepare = 10, AutoPrepareMinUsages = 2,
            });
        await using var connection = await source.OpenConnectionAsync(Ct);
        await connection.ExecuteAsync(
            """
            CREATE TEMP TABLE things (id text PRIMARY KEY, create_time timestamptz NOT NULL);
            CREATE INDEX things_by_age ON things (create_time, id);
            INSERT INTO things SELECT n::text, to_timestamp(n) FROM generate_series(1, 10000) AS n;
            ANALYZE things;
            """);

        for (var asking = 0; asking < Askings; asking++)
        {
            var after = goesOn ? new PageKey(DateTimeOffset.FromUnixTimeSeconds(asking), "1") : null;
            var page = new Conditions().Page(after, 100);
            await connection.QueryAsync<string>($"SELECT id FROM things WHERE {page.Sql}", page.Values);
        }

        var planned = await connection.ExecuteScalarAsync<long>(
            "SELECT custom_plans FROM pg_prepared_statements WHERE statement LIKE 'SELECT id FROM things%'");
        Assert.InRange(planned, 0, PlannedBeforeOneIsKept);
    }
}
