using System.Globalization;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Rpc = Google.Rpc;

namespace Cloud.ServiceDefaults.Hosting;

/// <summary>What gRPC itself refuses because of a request's message never reaches <see cref="ProblemInterceptor"/>;
/// this gives those refusals the form of all others.
/// <para>A request that came without its message is Unavailable rather than Internal. It is how the .NET client's
/// retries send a call again that a stopping server had not begun: once more, but empty (grpc-dotnet issue 1778, open).
/// Nothing was done, so a client with normal retries may, and then does, send it properly.</para>
/// <para>A message beyond <see cref="ServiceHosting.RequestBytesMax"/> is ResourceExhausted, with the
/// limit.</para></summary>
internal static class MessageRefusals
{
    private const string StatusHeader = "grpc-status";
    private const string MessageHeader = "grpc-message";
    private const string DetailsHeader = "grpc-status-details-bin";

    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(100);

    public static void Use(IApplicationBuilder app) => app.Use(async (http, next) =>
    {
        await next(http);
        // Refused before it was begun: the status is in the headers, and nobody of ours gave it details.
        if (!http.Response.HasStarted
            && http.Response.Headers.TryGetValue(StatusHeader, out var status)
            && !http.Response.Headers.ContainsKey(DetailsHeader)
            && int.TryParse(status, CultureInfo.InvariantCulture, out var code)
            && Refusal((StatusCode)code) is { } refusal)
        {
            Write(refusal, http.Response.Headers);
        }
    });

    private static Rpc.Status? Refusal(StatusCode code) => code switch
    {
        StatusCode.Internal => Problem
            .Unavailable(
                ErrorReason.MessageIncomplete,
                "The request came without all of its message; send it again.",
                RetryAfter)
            .ToRpcStatus(),
        StatusCode.ResourceExhausted => TooLarge(),
        _ => null,
    };

    private static Rpc.Status TooLarge() => Problem
        .Exhausted(
            ErrorReason.MessageTooLarge,
            $"The request is larger than {ServiceHosting.RequestBytesMax} bytes; send less at once.",
            new Dictionary<string, string>
            {
                ["limit_bytes"] = ServiceHosting.RequestBytesMax.ToString(CultureInfo.InvariantCulture),
            })
        .ToRpcStatus();

    private static void Write(Rpc.Status status, IHeaderDictionary headers)
    {
        headers[StatusHeader] = status.Code.ToString(CultureInfo.InvariantCulture);
        headers[MessageHeader] = status.Message;
        headers[DetailsHeader] = Convert.ToBase64String(status.ToByteArray());
    }
}
