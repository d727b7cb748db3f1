using Cloud.Protos.Installation.V1;
using Cloud.Protos.Supervision.V1;
using Grpc.Core;

namespace Cloud.System.Tests;

/// <summary>Waits for a workspace to come to a state by following its stream.</summary>
internal static class Following
{
    public static async Task<Installation> UntilAsync(
        this RunningWorld world, Installation installation, string state, CancellationToken ct)
    {
        var filter = new InstallationFilter { DnsName = installation.DnsNames[0], ShowDeleted = true };
        using var stream = world.Installations.WatchInstallations(
            new() { Filter = filter }, cancellationToken: ct);
        var seen = new List<string>();
        try
        {
            await foreach (var message in stream.ResponseStream.ReadAllAsync(ct))
            {
                if (message.Kind is WatchKind.Snapshot or WatchKind.Change
                    && message.Installation.Name == installation.Name)
                {
                    seen.Add($"{message.Installation.State} {message.Reason}");
                    if (message.Installation.State == state)
                    {
                        return message.Installation;
                    }
                }
            }
        }
        catch (Exception e) when (ct.IsCancellationRequested)
        {
            throw new TimeoutException(
                $"{installation.Name} never became {state}; it was {string.Join(", ", seen)}.", e);
        }

        throw new InvalidOperationException($"The stream of {installation.Name} ended.");
    }
}
