using System.Text.Json;
using System.Text.Json.Serialization;
using k8s;
using k8s.Models;

namespace Cloud.Watching;

/// <summary>
/// An object of a kind that has no class here: metadata is typed, everything else is kept as JSON and survives a
/// round trip. Use it for custom resources of others, or where only metadata matters.
/// </summary>
public sealed class UnstructuredObject : IKubernetesObject<V1ObjectMeta>
{
    [JsonPropertyName("apiVersion")]
    public string ApiVersion { get; set; } = "";

    [JsonPropertyName("kind")]
    public string Kind { get; set; } = "";

    [JsonPropertyName("metadata")]
    public V1ObjectMeta Metadata { get; set; } = new();

    /// <summary>Top-level fields other than the three above, such as <c>spec</c> and <c>status</c>.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement> Fields { get; set; } = [];

    /// <summary>A value below the top level, such as <c>Value("status", "state")</c>; null when absent.</summary>
    public JsonElement? Value(string field, params string[] path)
    {
        if (!Fields.TryGetValue(field, out var value))
        {
            return null;
        }

        foreach (var part in path)
        {
            if (value.ValueKind != JsonValueKind.Object || !value.TryGetProperty(part, out value))
            {
                return null;
            }
        }

        return value.ValueKind == JsonValueKind.Null ? null : value;
    }
}
