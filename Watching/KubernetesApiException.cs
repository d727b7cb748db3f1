using System.Net;
using System.Net.Http.Headers;
using System.Security.Authentication;
using System.Text.Json;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Cloud.Watching;

/// <summary>What went wrong in a call to a Kubernetes API, in the terms that decide what to do next.</summary>
public enum KubernetesErrorKind
{
    /// <summary>No answer: refused, cut, timed out, TLS or name failure. Retry with back-off.</summary>
    Unreachable,

    /// <summary>The object, its namespace, or the whole kind does not exist.</summary>
    NotFound,

    /// <summary>A create met an object of that name.</summary>
    AlreadyExists,

    /// <summary>The object moved on since it was read, or a field belongs to another manager. Read again.</summary>
    Conflict,

    /// <summary>Validation refused the object, or a field is immutable. Retrying unchanged cannot help.</summary>
    Invalid,

    /// <summary>The request itself is malformed or unsupported. Retrying unchanged cannot help.</summary>
    BadRequest,

    /// <summary>Credentials are good but lack the right, or a quota or a dying namespace refuses.</summary>
    Forbidden,

    /// <summary>Credentials are missing, wrong or expired.</summary>
    Unauthorized,

    /// <summary>The server asks to slow down; see <see cref="KubernetesApiException.RetryAfter"/>.</summary>
    TooManyRequests,

    /// <summary>The resource version or continue token is too old: list again.</summary>
    Gone,

    /// <summary>The server failed (5xx). Retry with back-off.</summary>
    ServerFault,
}

/// <summary>
/// A failed call to a Kubernetes API. Every call of <see cref="KubernetesApi"/> throws this type and no other (besides
/// cancellation by the caller's own token); failures of the generated client are turned into it by <see cref="From"/>.
/// </summary>
public sealed class KubernetesApiException : Exception
{
    private const int MessageLengthMax = 500;

    public KubernetesApiException(
        KubernetesErrorKind kind, string message, HttpStatusCode? statusCode = null, V1Status? status = null,
        TimeSpan? retryAfter = null, Exception? inner = null)
        : base(message, inner)
    {
        Kind = kind;
        StatusCode = statusCode;
        Status = status;
        RetryAfter = retryAfter;
    }

    public KubernetesErrorKind Kind { get; }

    /// <summary>Null when no answer came, or when the failure arrived inside a watch.</summary>
    public HttpStatusCode? StatusCode { get; }

    /// <summary>The Status object that the server sent; null when the body was none.</summary>
    public V1Status? Status { get; }

    /// <summary>How long the server asked to wait; null when it did not say.</summary>
    public TimeSpan? RetryAfter { get; }

    /// <summary>True when trying the same call later can succeed without anybody changing anything.</summary>
    public bool IsTransient => Kind is KubernetesErrorKind.Unreachable or KubernetesErrorKind.ServerFault
        or KubernetesErrorKind.TooManyRequests or KubernetesErrorKind.Conflict or KubernetesErrorKind.Gone;

    /// <summary>True when a create was refused because the namespace is being deleted: wait for its end.</summary>
    public bool IsNamespaceTerminating =>
        Status?.Details?.Causes?.Any(c => c.Reason == "NamespaceTerminating") == true;

    /// <summary>Reads the failure out of an answer with a status code of 400 or above.</summary>
    public static KubernetesApiException FromAnswer(
        HttpStatusCode code, string body, RetryConditionHeaderValue? retryAfter, TimeProvider time)
    {
        var status = ReadStatus(body);
        var text = string.IsNullOrEmpty(status?.Message) ? Shorten(body) : status.Message;
        var message = text.Length == 0 ? $"The API server answered {(int)code}." : text;
        var wait = retryAfter?.Delta ?? (retryAfter?.Date - time.GetUtcNow())
            ?? (status?.Details?.RetryAfterSeconds is > 0 and var s ? TimeSpan.FromSeconds(s) : null);
        return new KubernetesApiException(KindOf((int)code, status?.Reason), message, code, status, wait);
    }

    /// <summary>Reads the failure out of a Status object, as it arrives inside a watch.</summary>
    public static KubernetesApiException FromStatus(V1Status status) => new(
        KindOf(status.Code ?? 500, status.Reason), status.Message ?? status.Reason ?? "The watch failed.", null,
        status);

    /// <summary>
    /// Classifies what a call can throw, including the generated client's own exception types. Null for what is not a
    /// failure of the API or the way to it (a bug, or cancellation): let that fly on.
    /// </summary>
    /// <param name="cancellation">
    /// Of the caller. While it is not cancelled, a cancellation is the client's own limit of time, which it does not
    /// always say.
    /// </param>
    public static KubernetesApiException? From(Exception error, CancellationToken cancellation) => error switch
    {
        KubernetesApiException known => known,
        HttpOperationException { Response: { } response } http => new KubernetesApiException(
            KindOf((int)response.StatusCode, ReadStatus(response.Content ?? "")?.Reason),
            ReadStatus(response.Content ?? "")?.Message ?? http.Message, response.StatusCode,
            ReadStatus(response.Content ?? ""), inner: http),
        KubernetesException { Status: { } status } => FromStatus(status),
        HttpRequestException or IOException or AuthenticationException or TimeoutException =>
            new KubernetesApiException(KubernetesErrorKind.Unreachable, Innermost(error), inner: error),
        OperationCanceledException when !cancellation.IsCancellationRequested =>
            new KubernetesApiException(KubernetesErrorKind.Unreachable, "The API server did not answer in time.",
                inner: error),
        _ => null,
    };

    private static KubernetesErrorKind KindOf(int code, string? reason) => (code, reason) switch
    {
        (_, "AlreadyExists") => KubernetesErrorKind.AlreadyExists,
        (_, "Expired" or "Gone") or (410, _) => KubernetesErrorKind.Gone,
        (401, _) => KubernetesErrorKind.Unauthorized,
        (403, _) => KubernetesErrorKind.Forbidden,
        (404, _) => KubernetesErrorKind.NotFound,
        (409, _) => KubernetesErrorKind.Conflict,
        (422, _) => KubernetesErrorKind.Invalid,
        (429, _) => KubernetesErrorKind.TooManyRequests,
        ( >= 500, _) => KubernetesErrorKind.ServerFault,
        _ => KubernetesErrorKind.BadRequest,
    };

    private static V1Status? ReadStatus(string body)
    {
        if (!body.StartsWith('{'))
        {
            return null;
        }

        try
        {
            var status = KubernetesJson.Deserialize<V1Status>(body);
            return status.Kind is null or "Status" ? status : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string Innermost(Exception error) => error.GetBaseException().Message;

    private static string Shorten(string text) =>
        text.Length <= MessageLengthMax ? text : text[..MessageLengthMax];
}
