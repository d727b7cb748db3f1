using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;

namespace Cloud.Watching;

/// <summary>What an apply came to.</summary>
/// <param name="Object">The object as it is now.</param>
/// <param name="Written">False when nothing had to be written.</param>
public sealed record Applied<T>(T Object, bool Written);

/// <summary>
/// Makes objects be as wanted by server-side apply under one field manager, and stays silent when they already are.
/// </summary>
/// <remarks>
/// Guarantees: an object is written when it is missing, when what we want changed since we last wrote it (known by a
/// hash in an annotation, so also across restarts), or when a field we want is different on it. Fields of others are
/// left alone. So a steady state does no write, and a manual change to one of our fields is undone on the next pass.
/// Failures: those of <see cref="KubernetesApi.Apply"/>. The live object may be stale: the worst is one superfluous
/// write, which the server then finds to change nothing.
/// </remarks>
public sealed class Applier(KubernetesApi api, string fieldManager)
{
    /// <summary>Annotation with the hash of what was last applied.</summary>
    public const string HashAnnotation = "cloud.mattermost.com/applied";

    private const int HashBytes = 12;

    /// <summary>Makes the object be as wanted.</summary>
    /// <param name="desired">
    /// Only fields that are ours; metadata needs the name, and the namespace if the kind has one.
    /// </param>
    /// <param name="live">The object as last seen, usually from a cache; null when there is none.</param>
    /// <param name="force">Take fields that other managers hold.</param>
    public async Task<Applied<T>> Apply<T>(
        ResourceKind<T> kind, T desired, T? live, bool force, CancellationToken cancellation)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var document = Document(kind, desired);
        if (live is not null && IsAsWanted(document, live))
        {
            return new Applied<T>(live, false);
        }

        var answer = await api.Apply<T>(
            kind, ObjectKey.Of(desired), document, fieldManager, force, null, cancellation);
        return new Applied<T>(answer, true);
    }

    /// <summary>As above, with the live object taken from a cache that is then shown the answer.</summary>
    public async Task<Applied<T>> Apply<T>(
        ResourceKind<T> kind, T desired, ObjectCache<T> cache, bool force, CancellationToken cancellation)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var key = ObjectKey.Of(desired);
        using var write = cache.BeginWrite(key);
        var applied = await Apply(kind, desired, cache.Find(key), force, cancellation);
        if (applied.Written)
        {
            write.Complete(applied.Object);
        }

        return applied;
    }

    /// <summary>What is sent: the object without what the server owns, with its hash as annotation.</summary>
    public static JsonObject Document<T>(ResourceKind<T> kind, T desired)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        desired.ApiVersion = kind.ApiVersion;
        desired.Kind = kind.Kind;
        var document = JsonNode.Parse(KubernetesJson.Serialize(desired))!.AsObject();
        document.Remove("status");
        var metadata = document["metadata"]!.AsObject();
        foreach (var field in (ReadOnlySpan<string>)
            ["managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"])
        {
            metadata.Remove(field);
        }

        if (metadata["annotations"] is not JsonObject annotations)
        {
            metadata["annotations"] = annotations = [];
        }

        annotations.Remove(HashAnnotation);
        annotations[HashAnnotation] = Hash(document);
        return document;
    }

    /// <summary>Whether what was made by <see cref="Document"/> is what was applied last, and is still there.</summary>
    public static bool IsAsWanted<T>(JsonObject document, T live)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var wanted = document["metadata"]!["annotations"]![HashAnnotation]!.GetValue<string>();
        if (live.Metadata.Annotations is not { } annotations
            || !annotations.TryGetValue(HashAnnotation, out var applied) || applied != wanted)
        {
            return false;
        }

        return Coverage.Covers(JsonNode.Parse(KubernetesJson.Serialize(live)), document);
    }

    private static string Hash(JsonObject document)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            WriteSorted(writer, document);
        }

        return Convert.ToHexStringLower(SHA256.HashData(buffer.ToArray()).AsSpan(0, HashBytes));
    }

    private static void WriteSorted(Utf8JsonWriter writer, JsonNode? node)
    {
        switch (node)
        {
            case JsonObject map:
                writer.WriteStartObject();
                foreach (var (name, value) in map.OrderBy(p => p.Key, StringComparer.Ordinal))
                {
                    writer.WritePropertyName(name);
                    WriteSorted(writer, value);
                }

                writer.WriteEndObject();
                break;
            case JsonArray list:
                writer.WriteStartArray();
                foreach (var value in list)
                {
                    WriteSorted(writer, value);
                }

                writer.WriteEndArray();
                break;
            case null:
                writer.WriteNullValue();
                break;
            default:
                node.WriteTo(writer);
                break;
        }
    }
}
