using System.Diagnostics;
using Cloud.Benchmarks.Measuring;
using Cloud.Benchmarks.Worlds;
using StackExchange.Redis;

namespace Cloud.Benchmarks.Latency;

/// <summary>How long a workspace's journey lies idle between one thing and the next: the real installation service in a
/// process of its own, and peers that answer at once and note when they were asked.</summary>
internal sealed class LatencyBench(Report report)
{
    public const string Verb = "latency";
    private const double FirstCallP99Goal = 50;
    private const double StepP50Goal = 20;
    private const int WarmingUps = 100;
    private static readonly TimeSpan ArriveWithin = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LookAgainAfter = TimeSpan.FromMilliseconds(50);

    public async Task RunAsync(int count, int perSecond, int runs, CancellationToken ct)
    {
        await using var stores = await LocalStores.StartAsync(ct);
        await using var redis = await ConnectionMultiplexer.ConnectAsync(stores.RedisConnectionString);
        var (ours, bare) = (new List<Run>(), new List<Run>());
        await using (var floor = await Target.FloorAsync(stores, redis, ct))
        await using (var product = await Target.ProductAsync(stores, redis, ct))
        {
            for (var run = -1; run < runs; run++)
            {
                Report.Note(Verb, $"{count} requests, {perSecond} per second", run, runs);
                var requests = run < 0 ? WarmingUps : count;
                var floorRun = await DriveAsync(floor, run, requests, perSecond, ct);
                var productRun = await DriveAsync(product, run, requests, perSecond, ct);
                if (run >= 0)
                {
                    bare.Add(floorRun);
                    ours.Add(productRun);
                }
            }
        }

        await report.AddAsync(
            Verb,
            $"{count} CreateInstallation requests at {perSecond} per second to one installation service; "
            + "its peers answer at once. Floor: a bare gRPC service that commits a row and an event before each call.",
            [
                At("request to first provider call, p50", Moments.Asked, Moments.PlaceCalled, 0.5),
                At("request to first provider call, p99", Moments.Asked, Moments.PlaceCalled, 0.99,
                    Goal.NoMoreThan(FirstCallP99Goal)),
                At("step to step, p50", Moments.PlaceAnswered, Moments.DatabaseCalled, 0.5,
                    Goal.NoMoreThan(StepP50Goal)),
                At("step to step, p99", Moments.PlaceAnswered, Moments.DatabaseCalled, 0.99),
                At("another service's nudge to step, p50", Moments.Nudged, Moments.LookedAgain, 0.5,
                    Goal.NoMoreThan(StepP50Goal)),
                At("another service's nudge to step, p99", Moments.Nudged, Moments.LookedAgain, 0.99),
            ],
            ct);

        Measurement At(string name, string from, string to, double part, params Goal[] goals) => new(
            name,
            "ms",
            [.. ours.Select(r => Measurement.Percentile(r.Between(from, to), part))],
            [.. bare.Select(r => Measurement.Percentile(r.Between(from, to), part))],
            goals);
    }

    private static async Task<Run> DriveAsync(Target target, int run, int count, int perSecond, CancellationToken ct)
    {
        var asked = new List<Task<string>>();
        for (var i = 0; i < count; i++)
        {
            asked.Add(AskAsync(target, $"r{run + 1}n{i}", ct));
            await Task.Delay(TimeSpan.FromSeconds(1.0 / perSecond), TimeProvider.System, ct);
        }

        var names = await Task.WhenAll(asked);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(ArriveWithin);
        while (!Array.TrueForAll(names, name => target.Times.Has(name, Moments.LookedAgain)))
        {
            await Task.Delay(LookAgainAfter, TimeProvider.System, limit.Token);
        }

        return new Run(target.Times, names);
    }

    private static async Task<string> AskAsync(Target target, string label, CancellationToken ct)
    {
        var moment = Stopwatch.GetTimestamp();
        var made = await target.Client.CreateInstallationAsync(
            new() { NameHint = label, Installation = new() { OwnerId = "bench", Size = "miniSingleton" } },
            cancellationToken: ct);
        target.Times.Note(made.Name, Moments.Asked, moment);
        return made.Name;
    }

    private sealed record Run(CallTimes Times, IReadOnlyList<string> Names)
    {
        public IReadOnlyList<double> Between(string from, string to) => Times.Between(Names, from, to);
    }
}
