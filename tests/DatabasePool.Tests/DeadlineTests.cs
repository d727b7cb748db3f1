using Cloud.ServiceDefaults.Storage;
using Grpc.Core;
using Npgsql;
using Xunit;

namespace Cloud.DatabasePool.Tests;

/// <summary>A caller that does not wait any longer leaves nothing behind, not even a statement.</summary>
public sealed class DeadlineTests(PoolWorld world) : IClassFixture<PoolWorld>
{
    private const string WaitingSql =
        """
        SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()
        """;

    private static readonly TimeSpan Short = TimeSpan.FromSeconds(2);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_statement_that_waits_for_a_lock_ends_with_its_caller(bool byDeadline)
    {
        var server = await world.StableServerAsync(Ct, byDeadline ? "127.0.0.1" : "localhost");
        var before = await world.StableDatabaseAsync(ResourceId.New(), Ct);
        await using var source = NpgsqlDataSource.Create(world.OwnConnectionString);
        await using var holder = await source.OpenConnectionAsync(Ct);
        await using var holding = await holder.BeginTransactionAsync(Ct);
        await RunAsync(holder, $"SELECT FROM logical_databases WHERE id = '{before.Name.Split('/')[1]}' FOR UPDATE");
        using var caller = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        DateTime? deadline = byDeadline ? TimeProvider.System.GetUtcNow().Add(Short).UtcDateTime : null;

        var asked = world.Databases.DeleteLogicalDatabaseAsync(
            new() { Name = before.Name, InstallationEpoch = 2 }, deadline: deadline, cancellationToken: caller.Token)
            .ResponseAsync;
        await UntilWaitingAsync(source, 1);
        if (!byDeadline)
        {
            await caller.CancelAsync();
        }

        var ended = await Assert.ThrowsAsync<RpcException>(() => asked);
        await UntilWaitingAsync(source, 0);
        await holding.RollbackAsync(Ct);

        Assert.Equal(byDeadline ? StatusCode.DeadlineExceeded : StatusCode.Cancelled, ended.StatusCode);
        Assert.Equal(
            before, await world.Databases.GetLogicalDatabaseAsync(new() { Name = before.Name }, cancellationToken: Ct));
        // Not even the epoch it came with was kept.
        await world.DropAsync(before.Name, Ct, epoch: 1);
        await world.Servers.DeleteDatabaseServerAsync(new() { Name = server.Name }, cancellationToken: Ct);
    }

    /// <summary>Waits until so many statements wait for a lock.</summary>
    private static async Task UntilWaitingAsync(NpgsqlDataSource source, long count)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        patience.CancelAfter(PoolWorld.Patience);
        while (true)
        {
            await using var look = source.CreateCommand(WaitingSql);
            if (await look.ExecuteScalarAsync(patience.Token) is long waiting && waiting == count)
            {
                return;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, patience.Token);
        }
    }

    private static async Task RunAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Ct);
    }
}
