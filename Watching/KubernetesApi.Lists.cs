using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using k8s;
using k8s.Models;

namespace Cloud.Watching;

/// <summary>Lists and watches.</summary>
public sealed partial class KubernetesApi
{
    /// <summary>Objects per chunk of a list.</summary>
    public const int PageSize = 500;

    /// <summary>How much longer than it asked for a watch may last before the connection counts as dead.</summary>
    private static readonly TimeSpan WatchGrace = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Reads one chunk of a list. An object that its class cannot hold does not fail the list: it is named in
    /// <see cref="ObjectPage{T}.Undecodable"/>, so that one bad object cannot hide all others.
    /// </summary>
    /// <param name="limit">Objects per chunk; null for all at once.</param>
    /// <param name="continuation">Token of the previous chunk; fails with Gone when it has become too old.</param>
    public async Task<ObjectPage<T>> ListPage<T>(
        ResourceKind<T> kind, Selection selection, int? limit, string? continuation, CancellationToken cancellation)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var path = kind.CollectionPath(selection.Namespace) + Query(
            ("labelSelector", selection.LabelSelector), ("fieldSelector", selection.FieldSelector),
            ("limit", limit is { } l ? Number(l) : null), ("continue", continuation));
        var list = await Call<ListEnvelope>(kind.Plural, HttpMethod.Get, path, null, cancellation);
        var items = new List<T>(list.Items?.Count ?? 0);
        var undecodable = new List<UndecodableObject>();
        foreach (var element in list.Items ?? [])
        {
            if (TryDecode(kind, element, out var item, out var error))
            {
                items.Add(item);
            }
            else
            {
                TryDecode(kind.As<UnstructuredObject>(), element, out var rough, out _);
                undecodable.Add(new UndecodableObject(KeyIn(element), rough, WhatIsWrong(error)));
            }
        }

        var next = list.Metadata?.ContinueProperty;
        return new ObjectPage<T>(
            items, undecodable, list.Metadata?.ResourceVersion ?? "", string.IsNullOrEmpty(next) ? null : next);
    }

    /// <summary>Reads a whole list, chunk by chunk.</summary>
    public async IAsyncEnumerable<T> List<T>(
        ResourceKind<T> kind, Selection selection, [EnumeratorCancellation] CancellationToken cancellation)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        string? next = null;
        do
        {
            var page = await ListPage(kind, selection, PageSize, next, cancellation);
            foreach (var item in page.Items)
            {
                yield return item;
            }

            next = page.Continue;
        }
        while (next is not null);
    }

    /// <summary>
    /// Watches from a resource version on. The sequence ends when the server ends it, which an idle watch does
    /// regularly and is no fault. It throws Gone, as an answer or inside the stream alike, when the version is too old;
    /// <see cref="UndecodableObjectException"/> when an event cannot be read; Unreachable when the connection is cut or
    /// has outlived <paramref name="duration"/>.
    /// </summary>
    /// <param name="duration">When the server shall end the watch.</param>
    /// <param name="opened">
    /// Called when the server has granted the watch, long before the first event as a rule. It may still say at once
    /// that the version is too old.
    /// </param>
    public async IAsyncEnumerable<WatchEvent<T>> Watch<T>(
        ResourceKind<T> kind, Selection selection, string resourceVersion, TimeSpan duration, Action? opened,
        [EnumeratorCancellation] CancellationToken cancellation)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var path = kind.CollectionPath(selection.Namespace) + Query(
            ("watch", "true"), ("allowWatchBookmarks", "true"), ("resourceVersion", resourceVersion),
            ("timeoutSeconds", Number(duration.TotalSeconds)),
            ("labelSelector", selection.LabelSelector), ("fieldSelector", selection.FieldSelector));
        using var deadline = new CancellationTokenSource(duration + WatchGrace, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, deadline.Token);
        // Response headers may come late: some servers send them with the first event. So the bound is the watch's own.
        using var answer = await Send(
            kind.Plural, HttpMethod.Get, path, null, HttpCompletionOption.ResponseHeadersRead, duration + WatchGrace,
            cancellation);
        opened?.Invoke();
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(cancellation));
        while (await ReadLine(reader, either.Token, cancellation) is { } line)
        {
            if (line.Length > 0)
            {
                yield return Decode(kind, line);
            }
        }
    }

    private static async Task<string?> ReadLine(
        StreamReader reader, CancellationToken either, CancellationToken cancellation)
    {
        try
        {
            return await reader.ReadLineAsync(either);
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw new KubernetesApiException(
                KubernetesErrorKind.Unreachable, "The watch outlived its time; its connection is taken for dead.",
                inner: e);
        }
        catch (Exception e) when (KubernetesApiException.From(e, cancellation) is { } failure)
        {
            throw failure;
        }
    }

    private static WatchEvent<T> Decode<T>(ResourceKind<T> kind, string line)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        WatchEnvelope envelope;
        try
        {
            envelope = KubernetesJson.Deserialize<WatchEnvelope>(line);
        }
        catch (JsonException e)
        {
            throw new UndecodableObjectException($"A line in the watch of {kind} is no event.", e);
        }

        var type = envelope.Type switch
        {
            "ADDED" => WatchEventKind.Added,
            "MODIFIED" => WatchEventKind.Modified,
            "DELETED" => WatchEventKind.Deleted,
            "BOOKMARK" => WatchEventKind.Bookmark,
            "ERROR" => throw KubernetesApiException.FromStatus(
                KubernetesJson.Deserialize<V1Status>(envelope.Object)),
            _ => throw new UndecodableObjectException(
                $"The watch of {kind} sent an event of the unknown type '{envelope.Type}'.", new JsonException()),
        };
        if (type == WatchEventKind.Bookmark)
        {
            return new WatchEvent<T>(type, null, VersionIn(envelope.Object));
        }

        return TryDecode(kind, envelope.Object, out var item, out var error)
            ? new WatchEvent<T>(type, item, item.Metadata.ResourceVersion ?? "")
            : throw new UndecodableObjectException(
                $"The {kind.Kind} {KeyIn(envelope.Object)} does not fit its class: {error.Message}", error);
    }

    private static bool TryDecode<T>(
        ResourceKind<T> kind, JsonElement element, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out T? item,
        [System.Diagnostics.CodeAnalysis.NotNullWhen(false)] out Exception? error)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        (item, error) = (null, null);
        try
        {
            item = KubernetesJson.Deserialize<T>(element);
        }
        catch (Exception e) when (e is JsonException or FormatException or ArgumentException
            or InvalidOperationException or OverflowException)
        {
            error = e;
            return false;
        }

        if (item?.Metadata?.Name is null)
        {
            error = new JsonException("it has no name");
            item = null;
            return false;
        }

        // The items of a built-in list come without these two.
        item.ApiVersion = kind.ApiVersion;
        item.Kind = kind.Kind;
        return true;
    }

    /// <summary>Without the positions in the text, which move with every write to the object.</summary>
    private static string WhatIsWrong(Exception error) => error is JsonException { Path: { Length: > 0 } path }
        ? $"the value at {path} is not of the kind that belongs there"
        : error.Message;

    private static ObjectKey KeyIn(JsonElement element) =>
        new(MetadataText(element, "namespace"), MetadataText(element, "name"));

    private static string VersionIn(JsonElement element) => MetadataText(element, "resourceVersion");

    private static string MetadataText(JsonElement element, string field) =>
        element.ValueKind == JsonValueKind.Object
        && element.TryGetProperty("metadata", out var metadata) && metadata.ValueKind == JsonValueKind.Object
        && metadata.TryGetProperty(field, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString() ?? ""
            : "";

    private sealed class ListEnvelope
    {
        [JsonPropertyName("metadata")]
        public V1ListMeta? Metadata { get; set; }

        [JsonPropertyName("items")]
        public List<JsonElement>? Items { get; set; }
    }

    private sealed class WatchEnvelope
    {
        [JsonPropertyName("type")]
        public string Type { get; set; } = "";

        [JsonPropertyName("object")]
        public JsonElement Object { get; set; }
    }
}
