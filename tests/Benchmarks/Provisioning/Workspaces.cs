using System.Diagnostics;
using Cloud.Benchmarks.Worlds;
using Cloud.Protos.Installation.V1;
using Cloud.Protos.Supervision.V1;
using Grpc.Core;

namespace Cloud.Benchmarks.Provisioning;

/// <summary>Workspaces asked for at once, and followed until they are stable.</summary>
internal static class Workspaces
{
    private const int RequestsAtOnce = 32;
    private const string Stable = "stable";

    /// <summary>From the first request to the last workspace that is stable.</summary>
    /// <param name="owner">Nobody else's, so that the stream holds these workspaces only.</param>
    public static async Task<TimeSpan> CreateAsync(Fleet fleet, string owner, int count, CancellationToken ct)
    {
        var filter = new InstallationFilter { OwnerId = owner };
        using var stream = fleet.Installations.WatchInstallations(new() { Filter = filter }, cancellationToken: ct);
        var clock = new Stopwatch();
        var stable = new HashSet<string>();
        Task? asking = null;
        await foreach (var message in stream.ResponseStream.ReadAllAsync(ct))
        {
            if (message.Kind is WatchKind.SnapshotEnd)
            {
                clock.Start();
                asking = AskAsync(fleet, owner, count, ct);
            }
            else if (message.Kind is WatchKind.Change)
            {
                Follow(message.Installation, stable);
            }

            if (asking is { IsFaulted: true } || stable.Count == count)
            {
                break;
            }
        }

        await (asking ?? throw new InvalidOperationException("The stream ended before its snapshot was complete."));
        return clock.Elapsed;
    }

    private static void Follow(Installation installation, HashSet<string> stable)
    {
        if (installation.State == Stable)
        {
            stable.Add(installation.Name);
        }
        else if (installation.State.EndsWith("-failed", StringComparison.Ordinal))
        {
            throw new InvalidOperationException(
                $"{installation.Name} is {installation.State}: {installation.Progress?.LastError?.Message}");
        }
    }

    private static Task AskAsync(Fleet fleet, string owner, int count, CancellationToken ct) => Parallel.ForEachAsync(
        Enumerable.Range(0, count),
        new ParallelOptions { MaxDegreeOfParallelism = RequestsAtOnce, CancellationToken = ct },
        async (n, token) => await fleet.Installations.CreateInstallationAsync(
            new()
            {
                NameHint = $"{owner}-{n}", Installation = new() { OwnerId = owner, Size = "miniSingleton" },
            },
            cancellationToken: token));
}
