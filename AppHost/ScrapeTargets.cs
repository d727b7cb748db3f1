using System.Collections.Immutable;
using System.Text.Json;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Cloud.AppHost;

/// <summary>
/// Tells Prometheus where each replica of each service is, in the file that <c>deploy/prometheus/prometheus.yml</c>
/// reads (<c>prometheus/targets.json</c> in the state directory; Prometheus sees changes by itself). Through the proxy
/// it would meet one replica or another and take their counters for one. Replicas that are down stay listed, so that
/// their silence shows.
/// </summary>
internal sealed class ScrapeTargets(
    ResourceNotificationService notifications, World world, ILogger<ScrapeTargets> log) : BackgroundService
{
    private const string Endpoint = "http";
    private const string OwnEndpoint = "http target port";

    private static readonly JsonSerializerOptions Written = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var known = ImmutableSortedDictionary<string, Target>.Empty;
        await foreach (var change in notifications.WatchAsync(stoppingToken))
        {
            if (change.Resource is ProjectResource && AddressOf(change.Snapshot) is { } address)
            {
                var target = new Target(
                    [address], new Labels(change.Resource.Name, change.ResourceId));
                if (known.TryGetValue(change.ResourceId, out var before) && before.Targets[0] == address)
                {
                    continue;
                }

                known = known.SetItem(change.ResourceId, target);
                await WriteAsync(known.Values, stoppingToken);
            }
        }
    }

    /// <summary>The replica's own address where a proxy stands in front; null when it has none yet.</summary>
    private static string? AddressOf(CustomResourceSnapshot snapshot) =>
        (snapshot.Urls.FirstOrDefault(url => url.Name == OwnEndpoint)
            ?? snapshot.Urls.FirstOrDefault(url => url.Name == Endpoint)) is { } found
                ? new Uri(found.Url).Authority
                : null;

    private async Task WriteAsync(IEnumerable<Target> targets, CancellationToken ct)
    {
        try
        {
            var path = Path.Combine(world.PathOf("prometheus"), "targets.json");
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllTextAsync($"{path}.unfinished", JsonSerializer.Serialize(targets, Written), ct);
            File.Move($"{path}.unfinished", path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            log.LogWarning("Not telling Prometheus where the replicas are: {Reason}", e.Message);
        }
    }

    /// <summary>An entry of Prometheus's file-based service discovery.</summary>
    private sealed record Target(string[] Targets, Labels Labels);

    private sealed record Labels(string Service, string Instance);
}
