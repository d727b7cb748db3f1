using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Cloud.Clusters;

/// <summary>Says which clusters do not answer. The service can do without any of them: work there waits.</summary>
public sealed class ClusterCheck(ClusterWatches watches) : IHealthCheck
{
    private const int NamedMax = 5;

    public Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var (all, unwatchable) = (watches.All, watches.Unwatchable);
        var count = all.Count + unwatchable.Count;
        List<string> silent =
        [
            .. unwatchable.Select(cluster => Words(cluster.DisplayName, cluster.Why)),
            .. all.Where(watch => watch.Status.Failures > 0).Select(watch => Words(
                watch.DisplayName, watch.Status.LastError?.Message ?? "no answer")),
        ];
        return Task.FromResult(silent.Count == 0
            ? HealthCheckResult.Healthy($"{count} of {count} clusters answer.")
            : HealthCheckResult.Degraded(
                $"{count - silent.Count} of {count} clusters answer. These do not: "
                + string.Join("; ", silent.Take(NamedMax))
                + (silent.Count > NamedMax ? $"; and {silent.Count - NamedMax} more" : "")));
    }

    private static string Words(string cluster, string why) => $"{cluster} ({why})";
}
