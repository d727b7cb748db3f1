using System.Diagnostics.Metrics;
using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Hosting;

namespace Cloud.Webhooks;

/// <summary>Numbers of deliveries. Labels are outcomes and error codes: bounded by the code, never a webhook or
/// url.</summary>
public sealed class WebhookMeter
{
    /// <summary>Name of the meter, to be registered with OpenTelemetry.</summary>
    public const string Name = "Cloud.Webhooks";

    private readonly Histogram<double> _attempts;
    private readonly Histogram<double> _lag;
    private readonly Counter<long> _finished;
    private readonly Counter<long> _disabled;

    public WebhookMeter(IMeterFactory meters)
    {
        var meter = meters.Create(Name);
        _attempts = meter.CreateHistogram<double>(
            "cloud.webhook.attempt.duration", "s", "Time until a receiver answered or failed to, by error code.",
            advice: DurationBuckets.Seconds);
        _lag = meter.CreateHistogram<double>(
            "cloud.webhook.delivery.lag", "s", "Time from queueing an event to its receiver's taking it.",
            advice: DurationBuckets.Seconds);
        _finished = meter.CreateCounter<long>(
            "cloud.webhook.deliveries", "{delivery}", "Deliveries that ended, by outcome.");
        _disabled = meter.CreateCounter<long>(
            "cloud.webhook.disabled", "{webhook}", "Webhooks disabled because of their receiver, by reason.");
    }

    internal void Attempted(DeliveryAttempt attempt) => _attempts.Record(
        attempt.Milliseconds / 1000, new KeyValuePair<string, object?>("error.type", CodeOf(attempt)));

    internal void Finished(DeliveryStatus status, TimeSpan lag)
    {
        _finished.Add(1, new KeyValuePair<string, object?>("outcome", status.ToString().ToLowerInvariant()));
        if (status == DeliveryStatus.Succeeded)
        {
            _lag.Record(lag.TotalSeconds);
        }
    }

    internal void Disabled(ErrorReason reason) =>
        _disabled.Add(1, new KeyValuePair<string, object?>("reason", reason.Text().ToLowerInvariant()));

    private static string CodeOf(DeliveryAttempt attempt) =>
        attempt.Succeeded ? "none" : attempt.ErrorCode.ToLowerInvariant();
}
