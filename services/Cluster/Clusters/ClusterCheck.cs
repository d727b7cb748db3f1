using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Cloud.Clusters;

/// <summary>Says which clusters do not answer. The service can do without any of them: work there waits.</summary>
public sealed class ClusterCheck(ClusterWatches watches) : IHealthCheck
{
    private const int NamedMax = 5;

    public Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var all = watches.All;
        var silent = all.Where(watch => watch.Status.Failures > 0).ToList();
        return Task.FromResult(silent.Count == 0
            ? HealthCheckResult.Healthy($"{all.Count} of {all.Count} clusters answer.")
            : HealthCheckResult.Degraded(
                $"{all.Count - silent.Count} of {all.Count} clusters answer. These do not: "
                + string.Join("; ", silent.Take(NamedMax).Select(Words))
                + (silent.Count > NamedMax ? $"; and {silent.Count - NamedMax} more" : "")));
    }

    private static string Words(Providers.ClusterWatch watch) =>
        $"{watch.DisplayName} ({watch.Status.LastError?.Message ?? "no answer"})";
}
