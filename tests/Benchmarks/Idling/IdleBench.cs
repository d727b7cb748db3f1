using Cloud.Benchmarks.Measuring;
using Cloud.Benchmarks.Worlds;
using StackExchange.Redis;

namespace Cloud.Benchmarks.Idling;

/// <summary>What a large fleet costs in which nothing happens.</summary>
internal sealed class IdleBench(Report report)
{
    public const string Verb = "idle";
    private const double CpuGoalPercent = 1;
    private const double QueriesGoalPerSecond = 5;
    private const double MemoryGoalMegabytes = 250;

    /// <summary>Caches fill, statements are prepared, what was due at the start is done.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(90);

    public async Task RunAsync(int count, int clusters, TimeSpan time, CancellationToken ct)
    {
        await using var stores = await LocalStores.StartAsync(ct);
        var directory = Path.Combine(stores.Directory, "simulator");
        Report.Note(Verb, $"making one workspace on each of {clusters} clusters");
        IReadOnlyList<Original> originals;
        await using (var fleet = await Fleet.StartAsync(stores, clusters, count * 2, directory, ct))
        {
            await Provisioning.Workspaces.CreateAsync(fleet, "idle", clusters, ct);
            originals = await SeededFleet.OriginalsAsync(fleet, ct);
        }

        Report.Note(Verb, $"making {count} out of them");
        await SeededFleet.CopyRowsAsync(stores, originals, count, ct);
        for (var n = 0; n < originals.Count; n++)
        {
            SeededObjects.Copy(
                directory, originals[n], count * n / originals.Count, (count * (n + 1) / originals.Count) - 1);
        }

        Report.Note(Verb, "starting again");
        await using (var fleet = await Fleet.StartAsync(stores, clusters, count * 2, directory, ct))
        {
            await Task.Delay(Settling, TimeProvider.System, ct);
            Report.Note(Verb, $"measuring for {time.TotalSeconds:0} s");
            await report.AddAsync(
                Verb,
                $"{count} stable installations on {clusters} simulated clusters, one process per service, nobody asks "
                + $"for anything, over {time.TotalSeconds:0} s. The floor of doing nothing is nothing.",
                await MeasureAsync(stores, fleet, time, ct),
                ct);
        }
    }

    private static async Task<IReadOnlyList<Measurement>> MeasureAsync(
        LocalStores stores, Fleet fleet, TimeSpan time, CancellationToken ct)
    {
        var processes = fleet.Services.Select(s => (s.Name, Id: s.ProcessId)).ToList();
        await using var redis = await ConnectionMultiplexer.ConnectAsync(stores.RedisConnectionString);
        await Queries.ResetAsync(stores, ct);
        var before = processes.ToDictionary(p => p.Name, p => ProcessTree.Of(p.Id));
        var opsBefore = await OperationsAsync(redis);
        await Task.Delay(time, TimeProvider.System, ct);
        var (queries, ops) = (await Queries.CountAsync(stores, ct), await OperationsAsync(redis));
        var after = processes.ToDictionary(p => p.Name, p => ProcessTree.Of(p.Id));
        foreach (var line in await Queries.MostAsync(stores, ct))
        {
            Report.Note(Verb, line);
        }

        var percents = processes.ToDictionary(
            p => p.Name, p => 100 * (after[p.Name].Cpu - before[p.Name].Cpu).TotalSeconds / time.TotalSeconds);
        return
        [
            .. percents.Select(p => new Measurement($"{p.Key}, processor", "% of a core", [p.Value], [],
                Goal.NoMoreThan(CpuGoalPercent))),
            new("all services, processor", "% of a core", [percents.Values.Sum()], []),
            new("PostgreSQL statements", "/s", [queries / time.TotalSeconds], [],
                Goal.NoMoreThan(QueriesGoalPerSecond)),
            new("Redis commands", "/s", [(ops - opsBefore) / time.TotalSeconds], []),
            .. processes.Select(p => new Measurement($"{p.Name}, memory", "MB", [after[p.Name].ResidentMegabytes], [],
                Goal.NoMoreThan(MemoryGoalMegabytes))),
        ];
    }

    private static async Task<double> OperationsAsync(ConnectionMultiplexer redis)
    {
        var server = redis.GetServers()[0];
        var stats = (await server.InfoAsync("stats")).SelectMany(group => group);
        return double.Parse(
            stats.FirstOrDefault(entry => entry.Key == "total_commands_processed").Value ?? "NaN", null);
    }
}
