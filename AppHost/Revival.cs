using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Cloud.AppHost;

/// <summary>
/// Starts a service again that was killed or crashed; compiled only with Aspire's own packages, which leave that to
/// whoever looks at the dashboard (the stand-in does it by itself). What was stopped on purpose stays stopped, and what
/// falls while starting is left for a person to look at: it would fall again.
/// </summary>
internal sealed class Revival(
    ResourceNotificationService notifications, ResourceCommandService commands, ILogger<Revival> log)
    : BackgroundService
{
    /// <summary>An exit code above this is a signal's number added to it.</summary>
    private const int BySignal = 128;
    private const int Interrupted = BySignal + 2;
    private const int Terminated = BySignal + 15;

    private static readonly TimeSpan Starting = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // One end is told several times; a run is known by when it began.
        var seen = new HashSet<(string Id, DateTime Began)>();
        await foreach (var change in notifications.WatchAsync(stoppingToken))
        {
            if (IsService(change.Resource) && Fell(change.Snapshot) is { } began
                && seen.Add((change.ResourceId, began)))
            {
                log.LogWarning(
                    "Starting {Resource} again, which ended with {Code}", change.ResourceId, change.Snapshot.ExitCode);
                await commands.ExecuteCommandAsync(
                    change.ResourceId, KnownResourceCommands.StartCommand, stoppingToken);
            }
        }
    }

    private static bool IsService(IResource resource) =>
        resource is ProjectResource && resource.Annotations.OfType<EndpointAnnotation>().Any();

    /// <summary>When the run began that a signal ended once it was under way; else null.</summary>
    private static DateTime? Fell(CustomResourceSnapshot snapshot) =>
        KnownResourceStates.TerminalStates.Contains(snapshot.State?.Text)
        && snapshot.ExitCode is > BySignal and not (Interrupted or Terminated)
        && snapshot.StopTimeStamp - snapshot.StartTimeStamp > Starting
            ? snapshot.StartTimeStamp
            : null;
}
