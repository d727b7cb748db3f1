using System.Diagnostics;
using Cloud.Protos.Installation.V1;
using Cloud.Protos.Supervision.V1;
using Grpc.Core;

namespace Cloud.Benchmarks;

/// <summary>From request to <c>stable</c>, one workspace at a time and many at once.</summary>
internal sealed class Workspaces(World world)
{
    private const double OneGoalSeconds = 3;
    private const double HundredGoalSeconds = 40;

    private readonly string _run = Environment.ProcessId.ToString("x", null);
    private readonly List<string> _made = [];

    public async Task OneAfterTheOtherAsync(int count, CancellationToken ct)
    {
        var seconds = new List<double>();
        for (var i = 0; i < count; i++)
        {
            seconds.Add(await UntilStableAsync([$"one{i}-{_run}"], ct));
        }

        Report.Values("create to stable, 1 s pods", "s", seconds, OneGoalSeconds);
    }

    public async Task TogetherAsync(int count, CancellationToken ct)
    {
        var labels = Enumerable.Range(0, count).Select(i => $"many{i}-{_run}").ToList();
        var took = await UntilStableAsync(labels, ct);
        Report.Values($"{count} created at once, all stable", "s", [took], HundredGoalSeconds);
    }

    public async Task RemoveAllAsync(CancellationToken ct)
    {
        var clock = Stopwatch.StartNew();
        var count = _made.Count;
        await FollowAsync("deleted", async () =>
        {
            var asked = _made.Select(name => world.Installations.DeleteInstallationAsync(
                new() { Name = name, PendingTime = new(), Force = true }, cancellationToken: ct).ResponseAsync);
            return (await Task.WhenAll(asked)).Select(i => i.Name).ToHashSet();
        }, ct);
        Report.Values($"{count} deleted at once, all gone", "s", [clock.Elapsed.TotalSeconds], goal: null);
    }

    private async Task<double> UntilStableAsync(IReadOnlyList<string> labels, CancellationToken ct)
    {
        var clock = new Stopwatch();
        await FollowAsync("stable", async () =>
        {
            clock.Start();
            var asked = labels.Select(label => world.Installations.CreateInstallationAsync(
                new() { NameHint = label, Installation = new() { OwnerId = "bench", Size = "miniSingleton" } },
                cancellationToken: ct).ResponseAsync);
            var names = (await Task.WhenAll(asked)).Select(i => i.Name).ToHashSet();
            _made.AddRange(names);
            return names;
        }, ct);
        return clock.Elapsed.TotalSeconds;
    }

    /// <summary>Opens the stream, asks, and reads until everything asked for is in the state.</summary>
    private async Task FollowAsync(string state, Func<Task<HashSet<string>>> ask, CancellationToken ct)
    {
        var filter = new InstallationFilter { OwnerId = "bench", ShowDeleted = true };
        using var stream = world.Installations.WatchInstallations(new() { Filter = filter }, cancellationToken: ct);
        Task<HashSet<string>>? asking = null;
        var arrived = new HashSet<string>();
        await foreach (var message in stream.ResponseStream.ReadAllAsync(ct))
        {
            if (message.Kind is WatchKind.SnapshotEnd)
            {
                asking = ask();
            }
            else if (message.Kind is WatchKind.Change && message.Installation.State == state)
            {
                arrived.Add(message.Installation.Name);
            }

            if (asking is { IsFaulted: true }
                || (asking is { IsCompleted: true } && arrived.IsSupersetOf(await asking)))
            {
                break;
            }
        }

        await (asking ?? throw new InvalidOperationException("The stream ended before its snapshot was complete."));
    }
}
