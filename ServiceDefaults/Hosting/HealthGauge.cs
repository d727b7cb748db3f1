using System.Diagnostics.Metrics;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Cloud.ServiceDefaults.Hosting;

/// <summary>The state of each dependency as a gauge, <c>cloud.health.check</c>: 1 while it is as it should be, else 0.
/// At most <see cref="Health.PublishEvery"/> old.</summary>
internal sealed class HealthGauge : IHealthCheckPublisher
{
    /// <summary>Name of the meter.</summary>
    public const string MeterName = "Cloud.Health";

    private volatile HealthReport? _report;

    public HealthGauge(IMeterFactory meters) => meters.Create(MeterName).CreateObservableGauge(
        "cloud.health.check", Read, "1", "Whether a dependency is as it should be (1) or not (0), by check.");

    public Task PublishAsync(HealthReport report, CancellationToken cancellationToken)
    {
        _report = report;
        return Task.CompletedTask;
    }

    private IEnumerable<Measurement<int>> Read() => _report is not { } report ? [] : report.Entries.Select(entry =>
        new Measurement<int>(
            entry.Value.Status == HealthStatus.Healthy ? 1 : 0,
            new KeyValuePair<string, object?>("check", entry.Key)));
}
