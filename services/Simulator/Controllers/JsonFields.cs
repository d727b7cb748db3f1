using System.Globalization;
using System.Text.Json.Nodes;

namespace Cloud.Simulator.Controllers;

/// <summary>
/// Reads Kubernetes objects without a class per kind. A missing field is null, empty or zero, never an error.
/// </summary>
internal static class JsonFields
{
    public static JsonNode? At(this JsonNode? node, params ReadOnlySpan<string> path)
    {
        foreach (var step in path)
        {
            if (node is not JsonObject obj || !obj.TryGetPropertyValue(step, out node)) return null;
        }
        return node;
    }

    public static string? Text(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonValue value ? AsText(value) : null;

    public static long? Number(this JsonNode? node, params ReadOnlySpan<string> path)
    {
        if (node.At(path) is not JsonValue value) return null;
        if (value.TryGetValue(out long asLong)) return asLong;
        if (value.TryGetValue(out int asInt)) return asInt;
        if (value.TryGetValue(out double asDouble)) return (long)asDouble;
        return null;
    }

    public static int Int(this JsonNode? node, params ReadOnlySpan<string> path) => (int)(node.Number(path) ?? 0);

    public static bool? Flag(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonValue value && value.TryGetValue(out bool flag) ? flag : null;

    public static DateTimeOffset? Time(this JsonNode? node, params ReadOnlySpan<string> path) =>
        DateTimeOffset.TryParse(
            node.Text(path), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : null;

    /// <summary>The objects in an array; empty when there is no array.</summary>
    public static IEnumerable<JsonObject> Items(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonArray array ? array.OfType<JsonObject>() : [];

    /// <summary>The strings in an array; empty when there is no array.</summary>
    public static IEnumerable<string> Texts(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonArray array ? array.OfType<JsonValue>().Select(AsText) : [];

    /// <summary>The pairs of a map of strings; empty when there is no map.</summary>
    public static IEnumerable<KeyValuePair<string, string>> Pairs(this JsonNode? node, params ReadOnlySpan<string> path)
    {
        if (node.At(path) is not JsonObject map) return [];
        return map.Where(p => p.Value is JsonValue)
            .Select(p => KeyValuePair.Create(p.Key, AsText((JsonValue)p.Value!)));
    }

    public static string Name(this JsonObject obj) => obj.Text("metadata", "name") ?? "";

    public static string? Namespace(this JsonObject obj) => obj.Text("metadata", "namespace");

    public static string Uid(this JsonObject obj) => obj.Text("metadata", "uid") ?? "";

    public static long Generation(this JsonObject obj) => obj.Number("metadata", "generation") ?? 0;

    public static long ResourceVersion(this JsonObject obj) =>
        long.TryParse(obj.Text("metadata", "resourceVersion"), CultureInfo.InvariantCulture, out var version)
            ? version
            : 0;

    public static DateTimeOffset CreatedAt(this JsonObject obj) =>
        obj.Time("metadata", "creationTimestamp") ?? DateTimeOffset.MinValue;

    public static bool IsDeleting(this JsonObject obj) => obj.Text("metadata", "deletionTimestamp") is not null;

    public static JsonObject? Labels(this JsonObject obj) => obj.At("metadata", "labels") as JsonObject;

    public static string? Annotation(this JsonObject obj, string key) => obj.Text("metadata", "annotations", key);

    public static bool HasFinalizer(this JsonObject obj, string finalizer) =>
        obj.Texts("metadata", "finalizers").Contains(finalizer);

    public static IEnumerable<JsonObject> OwnerReferences(this JsonObject obj) =>
        obj.Items("metadata", "ownerReferences");

    /// <summary>The uid of the owner that controls this object, or null.</summary>
    public static string? ControllerUid(this JsonObject obj) =>
        obj.OwnerReferences().FirstOrDefault(r => r.Flag("controller") == true)?.Text("uid");

    /// <summary>The child object of this name, made when missing.</summary>
    public static JsonObject Child(this JsonObject obj, string name)
    {
        if (obj[name] is JsonObject child) return child;
        child = [];
        obj[name] = child;
        return child;
    }

    public static JsonObject Copy(this JsonObject obj) => (JsonObject)obj.DeepClone();

    public static JsonArray ToArray(IEnumerable<JsonNode?> items) => [.. items];

    /// <summary>A timestamp as Kubernetes writes it: UTC, whole seconds.</summary>
    public static string Stamp(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static string AsText(JsonValue value) =>
        value.TryGetValue(out string? text) ? text : value.ToJsonString();
}
