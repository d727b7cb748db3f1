using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Cloud.Simulator.ApiServers;

namespace Cloud.ClusterTests;

/// <summary>A simulated cluster's changes, for those who read at their own pace.</summary>
internal static class ClusterChanges
{
    /// <summary>The present objects as ADDED, then every change until cancelled.</summary>
    public static async IAsyncEnumerable<WatchEvent> FollowAsync(
        this IClusterApi api, string resource, [EnumeratorCancellation] CancellationToken ct)
    {
        var changes = Channel.CreateUnbounded<WatchEvent>();
        using var watch = api.Watch(resource, change => changes.Writer.TryWrite(change));
        foreach (var present in api.List(resource)) yield return new WatchEvent("ADDED", new Lazy<JsonObject>(present));
        await foreach (var change in changes.Reader.ReadAllAsync(ct)) yield return change;
    }
}
