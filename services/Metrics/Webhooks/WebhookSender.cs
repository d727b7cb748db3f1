using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Supervision;

namespace Cloud.Webhooks;

/// <summary>What is posted, and where.</summary>
/// <param name="Keys">To sign with.</param>
/// <param name="Headers">To send along.</param>
internal sealed record OutgoingMessage(
    string Url, string MessageId, byte[] Body, IReadOnlyList<byte[]> Keys, IReadOnlyDictionary<string, string> Headers);

/// <summary>What came of posting it.</summary>
/// <param name="Attempt">For the log.</param>
/// <param name="RetryAfter">How long the receiver asked to be left alone, if it did.</param>
internal sealed record SendResult(DeliveryAttempt Attempt, TimeSpan? RetryAfter);

/// <summary> Posts one message to a receiver, which may be anybody's: no redirect, proxy or cookie, no trace context,
/// bounded time and answer, and public addresses only (<see cref="PublicNetwork"/>). It has a client of its own,
/// because those of the service resolve names of other services.
/// </summary>
public sealed class WebhookSender : IDisposable
{
    /// <summary>How long a receiver may take to answer a delivery.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(15);

    /// <summary>Bytes of an answer's body that are read and kept.</summary>
    public const int ResponseBytesMax = 1024;

    /// <summary>Characters of an error that are kept.</summary>
    public const int ErrorLengthMax = 1024;

    private const int HeaderKilobytesMax = 32;

    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Names are resolved anew as often.</summary>
    private static readonly TimeSpan ConnectionLifetime = TimeSpan.FromMinutes(2);

    private readonly TimeProvider _time;

    private readonly HttpMessageInvoker _http;

    public WebhookSender(PublicNetwork network, Checkpoints checkpoints, TimeProvider time)
    {
        _time = time;
        _http = new HttpMessageInvoker(new CallPlaces(checkpoints, "receiver")
        {
            InnerHandler = new SocketsHttpHandler
            {
                AllowAutoRedirect = false,
                UseProxy = false,
                UseCookies = false,
                ActivityHeadersPropagator = DistributedContextPropagator.CreateNoOutputPropagator(),
                ConnectCallback = network.ConnectAsync,
                ConnectTimeout = ConnectTimeout,
                PooledConnectionLifetime = ConnectionLifetime,
                MaxResponseHeadersLength = HeaderKilobytesMax,
                MaxResponseDrainSize = 0,
            },
        });
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    /// <summary>Posts it once. Whatever the receiver does is a result; only cancellation throws.</summary>
    internal async Task<SendResult> SendAsync(OutgoingMessage message, TimeSpan timeout, CancellationToken ct)
    {
        var startedAt = _time.GetUtcNow();
        var started = _time.GetTimestamp();
        using var late = new CancellationTokenSource(timeout, _time);
        using var cut = CancellationTokenSource.CreateLinkedTokenSource(ct, late.Token);
        var attempt = new DeliveryAttempt { StartedAt = startedAt, Milliseconds = 0 };
        TimeSpan? retryAfter = null;
        try
        {
            using var request = RequestOf(message, startedAt.ToUnixTimeSeconds());
            using var response = await _http.SendAsync(request, cut.Token);
            retryAfter = RetryAfterOf(response, startedAt);
            attempt = Judged(attempt, response) with { Response = await BeginningAsync(response, cut.Token) };
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            attempt = Failed(attempt, ErrorReason.ReceiverTimeout, $"No answer within {timeout.TotalSeconds:0} s.");
        }
        catch (HttpRequestException e)
        {
            attempt = Failed(attempt, ReasonOf(e), (e.InnerException ?? e).Message);
        }

        ct.ThrowIfCancellationRequested();
        return new SendResult(
            attempt with { Milliseconds = _time.GetElapsedTime(started).TotalMilliseconds }, retryAfter);
    }

    private static HttpRequestMessage RequestOf(OutgoingMessage message, long timestamp)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, message.Url)
        {
            Content = new ByteArrayContent(message.Body),
        };
        request.Content.Headers.ContentType = new("application/json");
        request.Headers.TryAddWithoutValidation("user-agent", "cloud-webhooks/1");
        foreach (var (name, value) in message.Headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        request.Headers.Add("webhook-id", message.MessageId);
        request.Headers.Add("webhook-timestamp", timestamp.ToString(CultureInfo.InvariantCulture));
        request.Headers.Add(
            "webhook-signature", Signature.Of(message.MessageId, timestamp, message.Body, message.Keys));
        return request;
    }

    private static DeliveryAttempt Judged(DeliveryAttempt attempt, HttpResponseMessage response)
    {
        var judged = attempt with { HttpStatus = (int)response.StatusCode };
        var status = $"The receiver answered {judged.HttpStatus.ToString(CultureInfo.InvariantCulture)}";
        return response switch
        {
            { IsSuccessStatusCode: true } => judged,
            { StatusCode: HttpStatusCode.Gone } => Failed(
                judged, ErrorReason.ReceiverGone, $"{status}: it wants no more."),
            { StatusCode: >= HttpStatusCode.MultipleChoices and < HttpStatusCode.BadRequest } => Failed(
                judged, ErrorReason.RedirectRefused, $"{status}; redirects are not followed: update the url."),
            _ => Failed(judged, ErrorReason.HttpStatus, $"{status}."),
        };
    }

    private static DeliveryAttempt Failed(DeliveryAttempt attempt, ErrorReason reason, string error) =>
        attempt with
        {
            ErrorCode = reason.Text(),
            Error = Harmless(error.Length <= ErrorLengthMax ? error : error[..ErrorLengthMax]),
        };

    private static ErrorReason ReasonOf(HttpRequestException e) => e switch
    {
        { InnerException: AddressRefusedException } => ErrorReason.AddressRefused,
        {
            InnerException: SocketException
            {
                SocketErrorCode: SocketError.HostNotFound or SocketError.TryAgain or SocketError.NoData,
            },
        } => ErrorReason.NameNotResolved,
        { HttpRequestError: HttpRequestError.SecureConnectionError } => ErrorReason.TlsFailed,
        { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.ResponseEnded } =>
            ErrorReason.ConnectionFailed,
        { HttpRequestError: HttpRequestError.Unknown, InnerException: IOException or SocketException } =>
            ErrorReason.ConnectionFailed,
        _ => ErrorReason.HttpInvalid,
    };

    private static TimeSpan? RetryAfterOf(HttpResponseMessage response, DateTimeOffset now)
    {
        var asked = response.Headers.RetryAfter is { } header ? header.Delta ?? header.Date - now : null;
        return asked switch
        {
            null => null,
            { } wait when wait <= TimeSpan.Zero => null,
            { } wait => wait < RetrySchedule.RetryAfterMax ? wait : RetrySchedule.RetryAfterMax,
        };
    }

    /// <summary>The beginning of the answer's body, for people. The status has decided already: a body that breaks off
    /// or does not come changes nothing.</summary>
    private static async Task<string> BeginningAsync(HttpResponseMessage response, CancellationToken ct)
    {
        var buffer = new byte[ResponseBytesMax];
        var length = 0;
        try
        {
            await using var body = await response.Content.ReadAsStreamAsync(ct);
            int read;
            while (length < buffer.Length && (read = await body.ReadAsync(buffer.AsMemory(length), ct)) > 0)
            {
                length += read;
            }
        }
        catch (Exception e) when (e is IOException or HttpRequestException or OperationCanceledException)
        {
            // What was read until then is enough.
        }

        return Harmless(Encoding.UTF8.GetString(buffer, 0, length));
    }

    /// <summary>Text of a receiver, which errors quote too, as it can be kept and shown: PostgreSQL stores no zero
    /// characters and no halves of a pair, and a terminal should not be given control characters.</summary>
    private static string Harmless(string text) => string.Concat(text.EnumerateRunes().Select(rune =>
        Rune.IsControl(rune) && rune.Value is not ('\n' or '\t') ? Rune.ReplacementChar : rune));
}
