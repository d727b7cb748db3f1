using System.Collections.Frozen;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cloud.Simulator.ApiServers.Objects;

/// <summary>
/// One version of one object, never changed after it is made, so that any number of readers, lists and watches share
/// it.
/// </summary>
/// <remarks>
/// Held as a parsed element, from which a caller's own tree is made lazily (its parts are only built when touched),
/// and as the bytes that follow <c>apiVersion</c> and <c>kind</c>, so that a list or a watch in any served version
/// copies
/// bytes instead of serialising.
/// </remarks>
public sealed class StoredObject
{
    private static readonly FrozenDictionary<string, string> NoLabels = FrozenDictionary<string, string>.Empty;
    private readonly JsonElement _element;
    private IReadOnlyDictionary<string, string>? _labels;

    private StoredObject(JsonElement element, byte[] body, long revision)
    {
        _element = element;
        Body = body;
        Revision = revision;
        var metadata = element.GetProperty("metadata");
        Name = metadata.GetProperty("name").GetString()!;
        Namespace = metadata.TryGetProperty("namespace", out var ns) ? ns.GetString() : null;
        Uid = metadata.TryGetProperty("uid", out var uid) ? uid.GetString() ?? "" : "";
    }

    public string? Namespace { get; }

    public string Name { get; }

    public string Uid { get; }

    /// <summary>The resourceVersion.</summary>
    public long Revision { get; }

    /// <summary>
    /// Everything after <c>apiVersion</c> and <c>kind</c>: the properties, comma-separated, and the closing brace.
    /// </summary>
    public ReadOnlyMemory<byte> Body { get; }

    public JsonElement Element => _element;

    public IReadOnlyDictionary<string, string> Labels => _labels ??= ReadLabels();

    /// <summary>Freezes an object, which must have a name, at a revision. The tree handed in is not kept.</summary>
    public static StoredObject Freeze(JsonObject obj, long revision)
    {
        var body = new JsonObject();
        obj.Metadata()["resourceVersion"] = revision.ToString(System.Globalization.CultureInfo.InvariantCulture);
        var head = new JsonObject
        {
            ["apiVersion"] = obj["apiVersion"]?.DeepClone(),
            ["kind"] = obj["kind"]?.DeepClone(),
            ["metadata"] = obj["metadata"]!.DeepClone(),
        };
        foreach (var (name, value) in obj)
        {
            if (name is not ("apiVersion" or "kind" or "metadata" or "status")) body[name] = value?.DeepClone();
        }
        foreach (var name in body.Select(p => p.Key).ToList()) head[name] = body.Take(name);
        if (obj["status"] is { } status) head["status"] = status.DeepClone();
        return FromBytes(JsonSerializer.SerializeToUtf8Bytes(head, KubernetesJson.Options), revision);
    }

    /// <summary>Reads an object as the journal keeps it.</summary>
    public static StoredObject FromBytes(ReadOnlySpan<byte> bytes, long revision)
    {
        var reader = new Utf8JsonReader(bytes);
        var element = JsonElement.ParseValue(ref reader);
        var start = bytes.IndexOf("\"metadata\":"u8);
        return new StoredObject(element, bytes[start..].ToArray(), revision);
    }

    /// <summary>A tree of the caller's own.</summary>
    public JsonObject ToJson() => JsonObject.Create(_element)!;

    /// <summary>A string field, read without making a tree; null when missing.</summary>
    public string? Text(params ReadOnlySpan<string> path)
    {
        var at = _element;
        foreach (var name in path)
        {
            if (at.ValueKind != JsonValueKind.Object || !at.TryGetProperty(name, out at)) return null;
        }
        return at.ValueKind switch
        {
            JsonValueKind.String => at.GetString(),
            JsonValueKind.Undefined or JsonValueKind.Null or JsonValueKind.Object or JsonValueKind.Array => null,
            _ => at.GetRawText(),
        };
    }

    private IReadOnlyDictionary<string, string> ReadLabels()
    {
        if (!_element.GetProperty("metadata").TryGetProperty("labels", out var labels)
            || labels.ValueKind != JsonValueKind.Object) return NoLabels;
        var read = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var label in labels.EnumerateObject()) read[label.Name] = label.Value.GetString() ?? "";
        return read;
    }
}
