using System.Diagnostics.Metrics;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>Numbers of the feed machinery. Labels are nouns: bounded by the code.</summary>
public sealed class StorageMeter : IDisposable
{
    /// <summary>Name of the meter.</summary>
    public const string Name = "Cloud.Storage";

    private readonly Meter _meter;
    private readonly UpDownCounter<long> _watchClients;
    private readonly TimeProvider _time;
    private readonly Lock _guard = new();
    private long _undelivered;
    private DateTimeOffset? _oldest;

    /// <summary>Registers the instruments.</summary>
    public StorageMeter(IMeterFactory meters, TimeProvider time)
    {
        _time = time;
        _meter = meters.Create(Name);
        _watchClients = _meter.CreateUpDownCounter<long>(
            "cloud.watch.clients", "{client}", "Watch streams open in this process, by resource type.");
        _meter.CreateObservableGauge(
            "cloud.outbox.undelivered", () => Undelivered().Count, "{event}",
            "Numbered events that the feed has not taken in, as this process knows. Take the maximum over replicas.");
        _meter.CreateObservableGauge(
            "cloud.outbox.oldest_age", () => Undelivered().Age.TotalSeconds, "s",
            "Age of the oldest of them.");
    }

    internal void WatchOpened(string resourceType) => _watchClients.Add(1, TypeOf(resourceType));

    internal void WatchClosed(string resourceType) => _watchClients.Add(-1, TypeOf(resourceType));

    /// <summary>So many more wait to be delivered.</summary>
    internal void Numbered(int count, DateTimeOffset now)
    {
        lock (_guard)
        {
            _undelivered += count;
            _oldest ??= now;
        }
    }

    /// <summary>This is what waits, as the table says.</summary>
    internal void Delivering(long undelivered, DateTimeOffset oldest)
    {
        lock (_guard)
        {
            (_undelivered, _oldest) = (undelivered, oldest);
        }
    }

    /// <summary>Nothing waits.</summary>
    internal void Delivered()
    {
        lock (_guard)
        {
            (_undelivered, _oldest) = (0, null);
        }
    }

    private (long Count, TimeSpan Age) Undelivered()
    {
        lock (_guard)
        {
            return (_undelivered, _oldest is { } oldest ? _time.GetUtcNow() - oldest : TimeSpan.Zero);
        }
    }

    private static KeyValuePair<string, object?> TypeOf(string resourceType) => new("resource_type", resourceType);

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();
}
