using Cloud.TestHost.Journeys;
using Xunit;
using Proto = Cloud.Protos.DatabasePool.V1;

namespace Cloud.DatabasePool.Tests.Journeys;

/// <summary>A database of an installation that has the name of the life.</summary>
public abstract class DatabaseJourney : Journey<Pool>
{
    public override string Noun => "logical_database";

    public override async Task<IReadOnlyList<string>> OutsideAsync(Pool world, Life life, CancellationToken ct) =>
    [
        $"database {await CustomerServer.AskAsync<string>(
            $"""
            SELECT concat_ws(' ', pg_get_userbyid(datdba), datconnlimit, datacl, shobj_description(oid, 'pg_database'))
            FROM pg_database WHERE datname = 'cloud_{life.Id}'
            """,
            ct)}",
        $"role {await CustomerServer.AskAsync<string>(
            $"""
            SELECT concat_ws(' ', oid, rolcanlogin, rolconnlimit, rolpassword)
            FROM pg_authid WHERE rolname = 'user_{life.Id}'
            """,
            ct)}",
    ];

    protected static Task<Proto.LogicalDatabase> CreateAsync(Life life, string verb, CancellationToken ct)
    {
        var client = new Proto.LogicalDatabaseService.LogicalDatabaseServiceClient(life.Invoker);
        return life.BeginAsync(
            verb,
            token => client.CreateLogicalDatabaseAsync(
                new Proto.CreateLogicalDatabaseRequest
                {
                    LogicalDatabase = new Proto.LogicalDatabase { Installation = $"installations/{life.Id}" },
                    InstallationEpoch = 1,
                    RequestId = life.RequestId,
                },
                cancellationToken: token),
            made => made.Name,
            ct);
    }

    protected static async Task DropAsync(Life life, Proto.LogicalDatabase made, CancellationToken ct)
    {
        var client = new Proto.LogicalDatabaseService.LogicalDatabaseServiceClient(life.Invoker);
        var rows = await client.ListLogicalDatabasesAsync(
            new() { Installation = made.Installation, ShowDeleted = true }, cancellationToken: ct);
        Assert.Single(rows.LogicalDatabases);
        await life.AskAsync(
            "delete",
            token => client.DeleteLogicalDatabaseAsync(
                new() { Name = made.Name, InstallationEpoch = 1, RequestId = life.RequestId },
                cancellationToken: token),
            ct);
        await life.UntilAsync("deleted", ct);
        Assert.False(await CustomerServer.HasTraceOfAsync(life.Id, ct));
    }
}

/// <summary>Made, given credentials, dropped.</summary>
public sealed class DatabaseIsMadeAndDropped : DatabaseJourney
{
    public override async Task LiveAsync(Pool world, Life life, CancellationToken ct)
    {
        var made = await CreateAsync(life, "create", ct);
        await life.UntilAsync("stable", ct);
        Assert.True(await CustomerServer.HasTraceOfAsync(life.Id, ct));

        var client = new Proto.LogicalDatabaseService.LogicalDatabaseServiceClient(life.Invoker);
        var issued = await life.AskAsync(
            "issue credentials",
            token => client.IssueLogicalDatabaseCredentialsAsync(
                new() { Name = made.Name, HolderEpoch = 1 }, cancellationToken: token),
            ct);
        Assert.Equal(1, await CustomerServer.AskAsync<int>(CustomerServer.AsApplication(issued), "SELECT 1", ct));

        await DropAsync(life, made, ct);
    }
}

/// <summary>Refused for a name that is taken, made once the name is free.</summary>
public sealed class DatabaseIsMadeAtTheSecondTry : DatabaseJourney
{
    public override async Task LiveAsync(Pool world, Life life, CancellationToken ct)
    {
        await CustomerServer.AskAsync<string>($"CREATE DATABASE cloud_{life.Id}", ct);
        await CreateAsync(life, "create", ct);
        await life.UntilAsync("creation-failed", ct);

        await CustomerServer.AskAsync<string>($"DROP DATABASE cloud_{life.Id}", ct);
        var made = await CreateAsync(life, "create again", ct);
        await life.UntilAsync("stable", ct);
        await DropAsync(life, made, ct);
    }
}
