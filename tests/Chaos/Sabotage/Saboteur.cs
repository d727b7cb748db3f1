using System.Globalization;
using Cloud.Chaos.World;
using Cloud.TestHost;

namespace Cloud.Chaos.Sabotage;

/// <summary>
/// Breaks what the services run on, and the services themselves, in an order chosen by a seeded random number. What
/// lasts ends by itself after its time, and all of it when this is disposed. Touches processes of its own world only.
/// A killed Redis comes back with its data or without; a frozen one with the leases that ran out meanwhile.
/// PostgreSQL is restarted in all three ways it can end: fast, immediate, and as if its machine had lost power.
/// </summary>
internal sealed class Saboteur(
    int seed, LocalWorld world, SimulatedClusters clusters, Timeline timeline) : IAsyncDisposable
{
    private static readonly string[] Services =
        ["Cloud.Installation.dll", "Cloud.Cluster.dll", "Cloud.DatabasePool.dll", "Cloud.Metrics.dll"];

    private const string Redis = "Cloud.LocalRedis.dll";
    private const string Operator = "Cloud.Operator.dll";
    private const string Postgres = "postgres -D ";
    private static readonly int[] Codes = [409, 429, 500, 503, 504];
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(3);

    /// <summary>Longer than a lease (10 s) at its longest.</summary>
    private static readonly TimeSpan LongestFreeze = TimeSpan.FromSeconds(16);
    private static readonly TimeSpan LongestFault = TimeSpan.FromSeconds(10);

    private readonly Random _random = new(seed);
    private readonly Dictionary<string, Task> _lasting = [];
    private readonly CancellationTokenSource _end = new();
    private int _faults;

    /// <summary>How many processes were ended.</summary>
    public int Kills { get; private set; }

    /// <summary>How many deeds there were in all.</summary>
    public int Deeds { get; private set; }

    public async Task RunAsync(CancellationToken closing)
    {
        try
        {
            while (true)
            {
                var pause = ShortestPause + (_random.NextDouble() * (LongestPause - ShortestPause));
                await Task.Delay(pause, TimeProvider.System, closing);
                await ActAsync(closing);
            }
        }
        catch (OperationCanceledException) when (closing.IsCancellationRequested)
        {
            // The day is over.
        }
    }

    /// <summary>Ends all that lasts, and returns when it has ended.</summary>
    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await Task.WhenAll(_lasting.Values);
        _end.Dispose();
    }

    private async Task ActAsync(CancellationToken ct)
    {
        Deeds++;
        // Drawn before anything is looked at, so that a seed means the same deeds whatever the timing.
        var (deed, which, share) = (_random.Next(100), _random.Next(), _random.NextDouble());
        var cluster = SimulatedClusters.Names[which % SimulatedClusters.Names.Count];
        var service = Services[which % Services.Length];
        switch (deed)
        {
            case < 24: End(service, which, UnixSignal.Kill); break;
            case < 34: End(service, which, UnixSignal.Terminate); break;
            case < 42: Freeze(service, which, share * LongestFreeze); break;
            case < 45: End(Redis, which, UnixSignal.Kill); break;
            case < 47: Empty(Redis, which); break;
            case < 51: Freeze(Redis, which, share * LongestFault); break;
            case < 54: End(Postgres, which, UnixSignal.Interrupt); break;
            case < 56: End(Postgres, which, UnixSignal.Quit); break;
            case < 57: End(Postgres, which, UnixSignal.Kill); break;
            case < 63: End(Operator, which, UnixSignal.Kill); break;
            case < 66: Freeze(Operator, which, share * LongestFreeze); break;
            case < 72:
                Fault(cluster, new() { Probability = 0.5, ErrorCode = Codes[which % Codes.Length] }, share);
                break;
            case < 77: Fault(cluster, new() { LatencyMs = 200 + (which % 3_000) }, share); break;
            case < 81: Fault(cluster, new() { CutConnection = true, Probability = 0.5 }, share); break;
            case < 85: CutOff(cluster, share); break;
            case < 92: await TryAsync($"cut watches of {cluster}", () => clusters.CutWatchesAsync(cluster, ct)); break;
            case < 96:
                await TryAsync($"forget watch history of {cluster}", async () =>
                {
                    await clusters.ForgetHistoryAsync(cluster, ct);
                    await clusters.CutWatchesAsync(cluster, ct);
                });
                break;
            default: await TryAsync($"crash pods of {cluster}", () => clusters.CrashPodsAsync(cluster, ct)); break;
        }
    }

    private void End(string program, int which, UnixSignal signal)
    {
        var found = world.Processes(program);
        if (found.Count == 0)
        {
            timeline.Note("sabotage", "", $"{signal} {program}: none runs");
            return;
        }

        var process = found[which / Services.Length % found.Count];
        timeline.Note("sabotage", "", $"{signal} {program} ({process})");
        Kills += Signals.Send(process, signal) ? 1 : 0;
    }

    /// <summary>Ends it so that it comes back knowing nothing.</summary>
    private void Empty(string program, int which)
    {
        timeline.Note("sabotage", "", $"data of {program} are gone");
        try
        {
            Directory.Delete(world.RedisPath, recursive: true);
        }
        catch (IOException e)
        {
            // It writes there as we delete.
            timeline.Note("sabotage", "", $"some data of {program} are left: {e.Message}");
        }

        End(program, which, UnixSignal.Kill);
    }

    private void Freeze(string program, int which, TimeSpan time)
    {
        var found = world.Processes(program);
        if (found.Count > 0)
        {
            var process = found[which / Services.Length % found.Count];
            Last($"freeze {program} ({process})", time,
                () => Task.FromResult(Signals.Send(process, UnixSignal.Stop)),
                () => Task.FromResult(Signals.Send(process, UnixSignal.Continue)));
        }
    }

    private void Fault(string cluster, ApiFault fault, double share)
    {
        var id = (++_faults).ToString(CultureInfo.InvariantCulture);
        Last($"fault {id} of {cluster}: {fault}", share * LongestFault,
            () => clusters.PutFaultAsync(cluster, id, fault, _end.Token),
            () => clusters.RemoveFaultAsync(cluster, id, EndsSoon()));
    }

    private void CutOff(string cluster, double share)
    {
        var id = (++_faults).ToString(CultureInfo.InvariantCulture);
        Last($"{cluster} is cut off ({id})", share * LongestFault,
            async () =>
            {
                await clusters.PutFaultAsync(cluster, id, new() { CutConnection = true }, _end.Token);
                await clusters.CutWatchesAsync(cluster, _end.Token);
            },
            () => clusters.RemoveFaultAsync(cluster, id, EndsSoon()));
    }

    /// <summary>Something that begins now and ends after a time, or with the run. One at a time of a name.</summary>
    private void Last(string what, TimeSpan time, Func<Task> begin, Func<Task> end)
    {
        if (_lasting.TryGetValue(what, out var before) && !before.IsCompleted)
        {
            return;
        }

        _lasting[what] = RunAsync();

        async Task RunAsync()
        {
            timeline.Note("sabotage", "", string.Create(
                CultureInfo.InvariantCulture, $"{what} for {time.TotalSeconds:0.0} s"));
            await TryAsync(what, begin, silently: true);
            await Task.Delay(time, TimeProvider.System, _end.Token).ContinueWith(
                _ => { }, default, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            await TryAsync($"end of: {what}", end);
        }
    }

    /// <summary>The last word of what must end even when the run is over.</summary>
    private static CancellationToken EndsSoon() => new CancellationTokenSource(LongestFault, TimeProvider.System).Token;

    private async Task TryAsync(string what, Func<Task> act, bool silently = false)
    {
        try
        {
            await act();
            if (!silently)
            {
                timeline.Note("sabotage", "", what);
            }
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            timeline.Note("sabotage", "", $"{what}: failed, {e.Message}");
        }
    }
}
