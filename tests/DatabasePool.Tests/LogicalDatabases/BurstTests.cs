using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Cloud.DatabasePool.Tests.LogicalDatabases;

public sealed class BurstTests(PoolWorld world) : IClassFixture<PoolWorld>
{
    private const int Asked = 100;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_burst_fills_no_server_over_its_limit_and_those_without_room_are_told_when_there_is()
    {
        var small = await world.StableServerAsync(Ct, "127.0.0.1", maxDatabases: 30, weight: 300);
        var large = await world.StableServerAsync(Ct, "localhost", maxDatabases: 60, weight: 300);

        var answers = await Task.WhenAll(Enumerable.Range(0, Asked).Select(async _ =>
        {
            var installation = ResourceId.New();
            try
            {
                return (Installation: installation, Name: (await world.CreateAsync(installation, Ct)).Name, Reason: "");
            }
            catch (RpcException refused) when (refused.StatusCode == StatusCode.ResourceExhausted)
            {
                return (Installation: installation, Name: "", Reason: refused.Status.Detail);
            }
        }));

        var placed = answers.Where(answer => answer.Name.Length > 0).ToList();
        var refused = answers.Where(answer => answer.Name.Length == 0).ToList();
        Assert.Equal((90, 10), (placed.Count, refused.Count));
        Assert.All(
            refused,
            answer => Assert.Contains("is full: 30 of 30 databases", answer.Reason, StringComparison.Ordinal));
        Assert.Equal(30, await CountAsync(small.Name));
        Assert.Equal(60, await CountAsync(large.Name));
        foreach (var answer in placed)
        {
            await world.DatabaseUntilAsync(answer.Name, d => d.State == "stable", Ct);
        }

        await Room_that_appears_is_told_to_those_who_wait(
            [.. refused.Select(answer => answer.Installation)], placed[0].Name);
    }

    private async Task Room_that_appears_is_told_to_those_who_wait(HashSet<string> waiting, string toDrop)
    {
        var told = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var hearing = world.Service.Services.GetRequiredService<INudges>().Subscribe("installation", id =>
        {
            lock (waiting)
            {
                waiting.Remove(id ?? "");
                if (waiting.Count == 0)
                {
                    told.TrySetResult();
                }
            }
        });

        await world.DropAsync(toDrop, Ct);

        await told.Task.WaitAsync(PoolWorld.Patience, Ct);
        await world.StableDatabaseAsync(ResourceId.New(), Ct);
    }

    private async Task<int> CountAsync(string server) =>
        (await world.Servers.GetDatabaseServerAsync(new() { Name = server }, cancellationToken: Ct)).DatabaseCount;
}
