using System.Diagnostics.Metrics;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>Numbers of the feed machinery. Labels are nouns: bounded by the code.</summary>
public sealed class StorageMeter : IDisposable
{
    /// <summary>Name of the meter.</summary>
    public const string Name = "Cloud.Storage";

    private readonly Meter _meter;
    private readonly UpDownCounter<long> _watchClients;

    /// <summary>Registers the instruments.</summary>
    public StorageMeter(IMeterFactory meters)
    {
        _meter = meters.Create(Name);
        _watchClients = _meter.CreateUpDownCounter<long>(
            "cloud.watch.clients", "{client}", "Watch streams open in this process, by resource type.");
    }

    internal void WatchOpened(string resourceType) => _watchClients.Add(1, TypeOf(resourceType));

    internal void WatchClosed(string resourceType) => _watchClients.Add(-1, TypeOf(resourceType));

    private static KeyValuePair<string, object?> TypeOf(string resourceType) => new("resource_type", resourceType);

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();
}
