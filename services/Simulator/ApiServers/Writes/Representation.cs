using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.ResourceTypes;

namespace Cloud.Simulator.ApiServers.Writes;

/// <summary>One stored object as the versions and groups that serve it show it.</summary>
public static class Representation
{
    // Events are served by two groups under different field names and stored under those of the older one.
    private static readonly (string Core, string Events)[] EventFields =
    [
        ("involvedObject", "regarding"), ("message", "note"), ("source", "deprecatedSource"),
        ("firstTimestamp", "deprecatedFirstTimestamp"), ("lastTimestamp", "deprecatedLastTimestamp"),
        ("count", "deprecatedCount"), ("reportingComponent", "reportingController"),
    ];

    /// <summary>A stored object as a resource serves it.</summary>
    public static StoredObject Of(ResourceType type, StoredObject stored)
    {
        if (type.StoredAs is null
            && (type.Custom is null || stored.Text("apiVersion") == type.ApiVersion))
            return stored;
        var obj = stored.ToJson();
        obj["apiVersion"] = type.ApiVersion;
        if (type.StoredAs is not null) Rename(obj, f => (f.Core, f.Events));
        return StoredObject.Freeze(obj, stored.Revision);
    }

    /// <summary>An object of a resource as it is stored.</summary>
    public static JsonObject ToStored(ResourceType type, JsonObject obj)
    {
        if (type.Custom is { } custom) obj["apiVersion"] = $"{type.Group}/{custom.StorageVersion}";
        if (type.StoredAs is null) return obj;
        obj["apiVersion"] = "v1";
        Rename(obj, f => (f.Events, f.Core));
        return obj;
    }

    private static void Rename(JsonObject obj, Func<(string Core, string Events), (string From, string To)> direction)
    {
        foreach (var (from, to) in EventFields.Select(direction))
        {
            if (obj.Take(from) is { } value) obj[to] = value;
        }
    }
}
