using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;

namespace Cloud.Watching;

/// <summary>
/// Calls to the API server of one cluster, typed and with one kind of failure. It uses the connection, credentials and
/// JSON rules of KubernetesClient, but speaks the verbs itself, because the generated calls differ per kind and their
/// watch hides what a cache must know (an expired version inside the stream, an object that could not be read).
/// </summary>
/// <remarks>
/// Guarantees: safe for concurrent use; nothing is retried here (callers come back through their queue); each call
/// but a watch ends within <see cref="RequestTimeout"/>. Failures are <see cref="KubernetesApiException"/>;
/// cancellation by the caller's token is the only other way out.
/// </remarks>
public sealed partial class KubernetesApi : IDisposable
{
    /// <summary>Name of the meter that measures calls; to be registered with OpenTelemetry.</summary>
    public const string MeterName = "Cloud.Providers";

    /// <summary>Bound on one call. A server that is slower than this is treated as unreachable.</summary>
    public static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(30);

    private readonly Kubernetes _client;
    private readonly string _root;
    private readonly TimeProvider _time;

    /// <summary>
    /// Takes over the client and disposes it. See <see cref="KubernetesClients"/> for ways to make one.
    /// </summary>
    public KubernetesApi(Kubernetes client, TimeProvider time)
    {
        _client = client;
        _time = time;
        var text = client.BaseUri.ToString();
        _root = text.EndsWith('/') ? text : text + "/";
    }

    /// <summary>The generated client of the same connection, for calls that are not offered here.</summary>
    public IKubernetes Client => _client;

    /// <summary>Address of the API server, with its base path.</summary>
    public Uri Address => _client.BaseUri;

    /// <summary>Reads one object.</summary>
    public Task<T> Get<T>(ResourceKind<T> kind, ObjectKey key, CancellationToken cancellation)
        where T : class, IKubernetesObject<V1ObjectMeta> =>
        Call<T>(kind.Plural, HttpMethod.Get, kind.ObjectPath(key), null, cancellation);

    /// <summary>Reads one object, or null when it does not exist.</summary>
    public async Task<T?> Find<T>(ResourceKind<T> kind, ObjectKey key, CancellationToken cancellation)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        try
        {
            return await Get(kind, key, cancellation);
        }
        catch (KubernetesApiException e) when (e.Kind == KubernetesErrorKind.NotFound)
        {
            return null;
        }
    }

    /// <summary>Creates an object; fails with AlreadyExists when the name is taken.</summary>
    public Task<T> Create<T>(
        ResourceKind<T> kind, T item, string fieldManager, CancellationToken cancellation)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        item.ApiVersion = kind.ApiVersion;
        item.Kind = kind.Kind;
        var path = kind.CollectionPath(item.Metadata.NamespaceProperty) + Query(("fieldManager", fieldManager));
        return Call<T>(kind.Plural, HttpMethod.Post, path, Json(item, "application/json"), cancellation);
    }

    /// <summary>As above, from a document as <see cref="Apply"/> takes it.</summary>
    public Task<T> Create<T>(
        ResourceKind<T> kind, ObjectKey key, JsonObject desired, string fieldManager, CancellationToken cancellation)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var path = kind.CollectionPath(key.Namespace) + Query(("fieldManager", fieldManager));
        return Call<T>(kind.Plural, HttpMethod.Post, path, Json(desired, "application/json"), cancellation);
    }

    /// <summary>
    /// Writes the whole object as given; fails with Conflict when its resource version is set and no longer current.
    /// Only for kinds whose class holds every field: what a class does not know is erased.
    /// </summary>
    public Task<T> Replace<T>(
        ResourceKind<T> kind, T item, string fieldManager, CancellationToken cancellation)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        item.ApiVersion = kind.ApiVersion;
        item.Kind = kind.Kind;
        var path = kind.ObjectPath(ObjectKey.Of(item)) + Query(("fieldManager", fieldManager));
        return Call<T>(kind.Plural, HttpMethod.Put, path, Json(item, "application/json"), cancellation);
    }

    /// <summary>
    /// Server-side apply: the fields in <paramref name="desired"/> become ours, those we had and left out go.
    /// </summary>
    /// <param name="desired">
    /// With <c>metadata.resourceVersion</c> in it, refused (Conflict) when the object has moved on since; with
    /// <c>metadata.uid</c> also when it is gone, and is not made anew.
    /// </param>
    /// <param name="force">Take fields from other managers; otherwise fails with Conflict when one is theirs.</param>
    public Task<T> Apply<T>(
        ResourceKind<T> kind, ObjectKey key, JsonObject desired, string fieldManager, bool force,
        string? subresource, CancellationToken cancellation)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var path = kind.ObjectPath(key, subresource)
            + Query(("fieldManager", fieldManager), ("force", force ? "true" : "false"));
        return Call<T>(
            kind.Plural, HttpMethod.Patch, path, Json(desired, "application/apply-patch+yaml"), cancellation);
    }

    /// <summary>
    /// JSON merge patch; an explicit null in <paramref name="patch"/> removes a field. Put
    /// <c>metadata.resourceVersion</c> into it to have it refused (Conflict) when the object has moved on.
    /// </summary>
    public Task<T> MergePatch<T>(
        ResourceKind<T> kind, ObjectKey key, JsonObject patch, string fieldManager, string? subresource,
        CancellationToken cancellation)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var path = kind.ObjectPath(key, subresource) + Query(("fieldManager", fieldManager));
        return Call<T>(kind.Plural, HttpMethod.Patch, path, Json(patch, "application/merge-patch+json"), cancellation);
    }

    /// <summary>JSON patch (RFC 6902).</summary>
    public Task<T> JsonPatch<T>(
        ResourceKind<T> kind, ObjectKey key, JsonArray patch, string fieldManager, CancellationToken cancellation)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var path = kind.ObjectPath(key) + Query(("fieldManager", fieldManager));
        return Call<T>(kind.Plural, HttpMethod.Patch, path, Json(patch, "application/json-patch+json"), cancellation);
    }

    /// <summary>
    /// Deletes an object in the background propagation mode. Answers false when it was not there, or when it is no
    /// longer the one with <paramref name="uid"/>.
    /// </summary>
    /// <param name="uid">Only delete this very object; null deletes whatever has the name.</param>
    public Task<bool> Delete<T>(
        ResourceKind<T> kind, ObjectKey key, string? uid, CancellationToken cancellation)
        where T : class, IKubernetesObject<V1ObjectMeta> =>
        Delete(kind, key, uid is null ? null : new JsonObject { ["uid"] = uid }, cancellation);

    /// <summary>Deletes an object if it is still as it was seen; answers false when it is not.</summary>
    public Task<bool> DeleteAsSeen<T>(ResourceKind<T> kind, T seen, CancellationToken cancellation)
        where T : class, IKubernetesObject<V1ObjectMeta> =>
        Delete(
            kind,
            ObjectKey.Of(seen),
            new JsonObject { ["uid"] = seen.Metadata.Uid, ["resourceVersion"] = seen.Metadata.ResourceVersion },
            cancellation);

    private async Task<bool> Delete<T>(
        ResourceKind<T> kind, ObjectKey key, JsonObject? preconditions, CancellationToken cancellation)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var options = new JsonObject
        {
            ["apiVersion"] = "v1", ["kind"] = "DeleteOptions", ["propagationPolicy"] = "Background",
        };
        if (preconditions is not null)
        {
            options["preconditions"] = preconditions;
        }

        try
        {
            using var answer = await Send(
                kind.Plural, HttpMethod.Delete, kind.ObjectPath(key), Json(options, "application/json"),
                HttpCompletionOption.ResponseContentRead, RequestTimeout, cancellation);
            return true;
        }
        catch (KubernetesApiException e) when (e.Kind == KubernetesErrorKind.NotFound
            || (e.Kind == KubernetesErrorKind.Conflict && preconditions is not null))
        {
            return false;
        }
    }

    private async Task<T> Call<T>(
        string resource, HttpMethod method, string path, HttpContent? body, CancellationToken cancellation)
    {
        using var answer = await Send(
            resource, method, path, body, HttpCompletionOption.ResponseContentRead, RequestTimeout, cancellation);
        try
        {
            var stream = await answer.Content.ReadAsStreamAsync(cancellation);
            return KubernetesJson.Deserialize<T>(stream);
        }
        catch (JsonException e)
        {
            throw new KubernetesApiException(
                KubernetesErrorKind.ServerFault, $"The API server's answer to {method} {path} could not be read.",
                answer.StatusCode, inner: e);
        }
    }

    private async Task<HttpResponseMessage> Send(
        string resource, HttpMethod method, string path, HttpContent? body, HttpCompletionOption completion,
        TimeSpan timeout, CancellationToken cancellation)
    {
        using var measured = new MeasuredCall(resource, method.Method);
        try
        {
            var answer = await Send(method, path, body, completion, timeout, cancellation);
            measured.Outcome = "ok";
            return answer;
        }
        catch (KubernetesApiException e)
        {
            measured.Outcome = MeasuredCall.OutcomeOf(e.Kind);
            throw;
        }
    }

    private async Task<HttpResponseMessage> Send(
        HttpMethod method, string path, HttpContent? body, HttpCompletionOption completion, TimeSpan timeout,
        CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(method, _root + path) { Content = body };
        request.Version = _client.BaseUri.Scheme == Uri.UriSchemeHttps ? HttpVersion.Version20 : HttpVersion.Version11;
        request.VersionPolicy = HttpVersionPolicy.RequestVersionOrLower;
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        using var deadline = new CancellationTokenSource(timeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, deadline.Token);
        try
        {
            if (_client.Credentials is { } credentials)
            {
                await credentials.ProcessHttpRequestAsync(request, either.Token);
            }

            var answer = await _client.HttpClient.SendAsync(request, completion, either.Token);
            if (answer.IsSuccessStatusCode)
            {
                return answer;
            }

            using (answer)
            {
                var text = await answer.Content.ReadAsStringAsync(either.Token);
                throw KubernetesApiException.FromAnswer(
                    answer.StatusCode, text, answer.Headers.RetryAfter, _time);
            }
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw new KubernetesApiException(
                KubernetesErrorKind.Unreachable,
                $"{_client.BaseUri.Authority} did not answer within {timeout.TotalSeconds:0} s.", inner: e);
        }
        catch (Exception e) when (
            e is not KubernetesApiException && KubernetesApiException.From(e, cancellation) is { } failure)
        {
            throw failure;
        }
    }

    private static StringContent Json(object body, string mediaType)
    {
        var text = body is JsonNode node ? node.ToJsonString() : KubernetesJson.Serialize(body);
        return new StringContent(text, Encoding.UTF8, new MediaTypeHeaderValue(mediaType));
    }

    private static string Query(params ReadOnlySpan<(string Name, string? Value)> parts)
    {
        var text = new StringBuilder();
        foreach (var (name, value) in parts)
        {
            if (!string.IsNullOrEmpty(value))
            {
                text.Append(text.Length == 0 ? '?' : '&')
                    .Append(name).Append('=').Append(Uri.EscapeDataString(value));
            }
        }

        return text.ToString();
    }

    private static string Number(double value) => value.ToString("0", CultureInfo.InvariantCulture);

    public void Dispose() => _client.Dispose();
}
