using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.FieldOwnership;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.ResourceTypes;

namespace Cloud.Simulator.ApiServers.Writes;

/// <summary>What the server, not the author, decides about an object's metadata.</summary>
internal static class Metadata
{
    private const string SuffixLetters = "bcdfghjklmnpqrstvwxz2456789";
    private const int SuffixLength = 5;

    // The longest base that leaves room for the suffix in a name of 63 characters.
    private const int BaseLength = 58;

    private static readonly string[] ServerFields =
        ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink"];

    public static string Stamp(DateTimeOffset moment) =>
        moment.UtcDateTime.ToString(Owner.TimeFormat, CultureInfo.InvariantCulture);

    /// <summary>Name, uid, age and generation of a new object.</summary>
    public static void OnCreate(ResourceType type, JsonObject obj, DateTimeOffset now)
    {
        var metadata = obj.Metadata();
        if (obj.NameOf().Length == 0 && metadata.Text("generateName") is { Length: > 0 } prefix)
        {
            var suffix = RandomNumberGenerator.GetString(SuffixLetters, SuffixLength);
            metadata["name"] = prefix[..Math.Min(prefix.Length, BaseLength)] + suffix;
        }
        foreach (var field in ServerFields) metadata.Remove(field);
        metadata.Remove("resourceVersion");
        metadata["uid"] = NewUid();
        metadata["creationTimestamp"] = Stamp(now);
        if (type.HasGeneration) metadata["generation"] = 1;
    }

    /// <summary>Keeps what an update may not touch.</summary>
    public static void OnUpdate(JsonObject current, JsonObject next)
    {
        var (was, metadata) = (current.Metadata(), next.Metadata());
        foreach (var field in ServerFields) metadata.CopyFrom(was, field);
        metadata["name"] = was["name"]!.DeepClone();
        metadata.CopyFrom(was, "namespace");
        metadata.CopyFrom(was, "generateName");
        metadata["resourceVersion"] = was["resourceVersion"]?.DeepClone();
    }

    /// <summary>Counts a change of what the object asks for.</summary>
    public static void CountGeneration(ResourceType type, JsonObject current, JsonObject next)
    {
        if (!type.HasGeneration) return;
        var generation = current.Number("metadata", "generation") ?? 0;
        next.Metadata()["generation"] = AsksTheSame(type, current, next) ? Math.Max(1, generation) : generation + 1;
    }

    // A Deployment's annotations travel to its pods' revisions, so they count as well, as on a real server.
    private static bool AsksTheSame(ResourceType type, JsonObject current, JsonObject next)
    {
        foreach (var name in current.Select(p => p.Key).Union(next.Select(p => p.Key)))
        {
            if (name is "metadata" or "apiVersion" or "kind" || (name == "status" && type.HasStatus)) continue;
            if (!JsonAccess.Same(current[name], next[name])) return false;
        }
        return type.Resource != "deployments.apps"
            || JsonAccess.Same(current.At("metadata", "annotations"), next.At("metadata", "annotations"));
    }

    private static string NewUid()
    {
        const int versionByte = 7;
        const int variantByte = 8;
        var bytes = RandomNumberGenerator.GetBytes(16);
        bytes[versionByte] = (byte)((bytes[versionByte] & 0x0F) | 0x40);
        bytes[variantByte] = (byte)((bytes[variantByte] & 0x3F) | 0x80);
        return new Guid(bytes).ToString();
    }
}
