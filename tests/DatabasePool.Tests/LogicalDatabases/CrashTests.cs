using Cloud.LogicalDatabases;
using Cloud.Providers;
using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Cloud.DatabasePool.Tests.LogicalDatabases;

public sealed class CrashTests(PoolWorld world, ITestOutputHelper output) : IClassFixture<PoolWorld>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Whatever_place_the_service_crashes_at_a_database_is_made_once_and_dropped_without_a_trace()
    {
        var server = await world.StableServerAsync(Ct);

        var places = await CrashAnywhere.RunAsync((faults, ct) => LiveAndDieAsync(server.Name, faults, ct), Ct);

        output.WriteLine($"Crashed at {places.Count} places: {string.Join(", ", places.Distinct())}");
        Assert.Contains("save.before", places);

        // The last process may still meet its crash: in work that goes on beside the journey.
        await world.RestartAsync();
        await LetGoAsync(server.Name);
    }

    [Fact]
    public async Task A_worker_that_slept_neither_brings_back_what_was_dropped_nor_drops_what_came_after()
    {
        var server = await world.StableServerAsync(Ct, "localhost");
        var id = ResourceId.New();
        var store = world.Service.Services.GetRequiredService<LogicalDatabaseStore>();
        var onServer = world.Service.Services.GetRequiredService<OnServer>();
        var made = await world.StableDatabaseAsync(id, Ct);
        var asCreated = await store.FindAsync(made.Name.Split('/')[1], Ct);
        await world.DropAsync(made.Name, Ct);

        Assert.NotNull(await onServer.ActAsync(asCreated!, CustomerDatabase.EnsureAsync, Ct));
        Assert.False(await CustomerServer.HasTraceOfAsync(id, Ct));

        var next = await world.StableDatabaseAsync(id, Ct);
        Assert.NotNull(await onServer.ActAsync(asCreated!, CustomerDatabase.EnsureGoneAsync, Ct));
        Assert.True(await CustomerServer.HasTraceOfAsync(id, Ct));
        await world.DropAsync(next.Name, Ct);
        await LetGoAsync(server.Name);
    }

    private async Task LiveAndDieAsync(string server, FaultPoints faults, CancellationToken ct)
    {
        await world.RestartAsync(faults);
        var id = ResourceId.New();

        var database = await SurviveAsync(faults, token => world.StableDatabaseAsync(id, token), ct);
        Assert.Equal(1, await CountAsync(server, ct));
        Assert.True(await CustomerServer.HasTraceOfAsync(id, ct));

        await SurviveAsync(faults, token => world.DropAsync(database.Name, token), ct);
        Assert.Equal(0, await CountAsync(server, ct));
        Assert.False(await CustomerServer.HasTraceOfAsync(id, ct));
    }

    /// <summary>Asks; if the process crashes before the answer, asks the next process the same.</summary>
    private async Task<T> SurviveAsync<T>(
        FaultPoints faults, Func<CancellationToken, Task<T>> ask, CancellationToken ct)
    {
        if (faults.Crashed.IsCompleted)
        {
            return await ask(ct);
        }

        using var cut = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var asking = ask(cut.Token);
        await Task.WhenAny(asking, faults.Crashed);
        if (!faults.Crashed.IsCompleted)
        {
            return await asking;
        }

        await cut.CancelAsync();
        await Task.WhenAny(asking);
        await world.ReviveAsync(ct);
        return await ask(ct);
    }

    private async Task<int> CountAsync(string server, CancellationToken ct) =>
        (await world.Servers.GetDatabaseServerAsync(new() { Name = server }, cancellationToken: ct)).DatabaseCount;

    private async Task LetGoAsync(string server)
    {
        await world.Servers.DeleteDatabaseServerAsync(new() { Name = server }, cancellationToken: Ct);
        await world.ServerUntilAsync(server, s => s.State == "deleted", Ct);
    }
}
