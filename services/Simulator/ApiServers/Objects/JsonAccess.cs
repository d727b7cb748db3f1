using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cloud.Simulator.ApiServers.Objects;

/// <summary>Reading and writing Kubernetes objects as JSON trees without null checks at every step.</summary>
public static class JsonAccess
{
    /// <summary>The node at a path of property names; null where the path ends early.</summary>
    public static JsonNode? At(this JsonNode? node, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
        {
            if (node is not JsonObject obj || !obj.TryGetPropertyValue(name, out node)) return null;
        }
        return node;
    }

    /// <summary>The object at a path, or null.</summary>
    public static JsonObject? ObjectAt(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) as JsonObject;

    /// <summary>The list at a path, or null.</summary>
    public static JsonArray? ListAt(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) as JsonArray;

    /// <summary>The string at a path; null when missing or not a string.</summary>
    public static string? Text(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    /// <summary>The integer at a path; null when missing or not an integer.</summary>
    public static long? Number(this JsonNode? node, params ReadOnlySpan<string> path) => AsInteger(node.At(path));

    /// <summary>The boolean at a path; false when missing.</summary>
    public static bool Flag(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonValue value && value.TryGetValue<bool>(out var flag) && flag;

    /// <summary>The value as an integer whatever CLR number it was made of; null when it is none.</summary>
    public static long? AsInteger(JsonNode? node)
    {
        if (node is not JsonValue value || value.GetValueKind() != JsonValueKind.Number) return null;
        if (value.TryGetValue<long>(out var whole)) return whole;
        return long.TryParse(value.ToJsonString(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture,
            out whole) ? whole : null;
    }

    /// <summary>The value as a number whatever CLR number it was made of; null when it is none.</summary>
    public static double? AsNumber(JsonNode? node) =>
        node is JsonValue value && value.GetValueKind() == JsonValueKind.Number
            ? double.Parse(value.ToJsonString(), NumberStyles.Float, CultureInfo.InvariantCulture)
            : null;

    /// <summary>The object under a name, made when it is missing or null.</summary>
    public static JsonObject Ensure(this JsonObject obj, string name)
    {
        if (obj[name] is JsonObject present) return present;
        var made = new JsonObject();
        obj[name] = made;
        return made;
    }

    /// <summary>Sets a value only where there is none.</summary>
    public static void Default(this JsonObject obj, string name, JsonNode? value)
    {
        if (obj[name] is null) obj[name] = value;
    }

    /// <summary>Moves a value out of its tree, so that it can be put elsewhere.</summary>
    public static JsonNode? Take(this JsonObject obj, string name)
    {
        if (!obj.TryGetPropertyValue(name, out var value)) return null;
        obj.Remove(name);
        return value;
    }

    /// <summary>Puts a copy of another object's value here, or removes ours when the other has none.</summary>
    public static void CopyFrom(this JsonObject obj, JsonObject? other, string name)
    {
        if (other is not null && other.TryGetPropertyValue(name, out var value)) obj[name] = value?.DeepClone();
        else obj.Remove(name);
    }

    /// <summary>The metadata, made when missing.</summary>
    public static JsonObject Metadata(this JsonObject obj) => obj.Ensure("metadata");

    /// <summary>metadata.name, or empty.</summary>
    public static string NameOf(this JsonObject obj) => obj.Text("metadata", "name") ?? "";

    /// <summary>metadata.namespace, or null for cluster-scoped objects.</summary>
    public static string? NamespaceOf(this JsonObject obj) => obj.Text("metadata", "namespace");

    /// <summary>True once deletion was asked for.</summary>
    public static bool IsBeingDeleted(this JsonObject obj) => obj.At("metadata", "deletionTimestamp") is not null;

    /// <summary>The finalizers that hold the object.</summary>
    public static IEnumerable<string> Finalizers(this JsonObject obj) =>
        obj.ListAt("metadata", "finalizers")?.Select(f => f?.GetValue<string>() ?? "") ?? [];

    /// <summary>Structural equality that treats two missing values as equal.</summary>
    public static bool Same(JsonNode? one, JsonNode? other) => JsonNode.DeepEquals(one, other);
}
