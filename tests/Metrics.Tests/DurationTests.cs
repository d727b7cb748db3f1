using System.Diagnostics.Metrics;
using Cloud.Events;
using Cloud.ServiceDefaults.Hosting;
using Cloud.Webhooks;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Cloud.Metrics.Tests;

public sealed class DurationTests
{
    [Fact]
    public async Task Every_histogram_of_seconds_has_buckets_for_seconds()
    {
        await using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var meters = services.GetRequiredService<IMeterFactory>();
        var seconds = new Dictionary<string, IReadOnlyList<double>?>(StringComparer.Ordinal);
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, _) =>
        {
            if (instrument is Histogram<double> { Unit: "s" } histogram && instrument.Meter.Scope == meters)
            {
                seconds.Add(histogram.Name, histogram.Advice?.HistogramBucketBoundaries);
            }
        };
        listener.Start();

        using var feed = new FeedMeter(meters);
        _ = new WebhookMeter(meters);

        Assert.Equal(
            ["cloud.feed.lag", "cloud.webhook.attempt.duration", "cloud.webhook.delivery.lag"], seconds.Keys.Order());
        Assert.All(
            seconds.Values, buckets => Assert.Equal(DurationBuckets.Seconds.HistogramBucketBoundaries, buckets));
    }
}
