using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client.Configuration;

namespace Cloud.Cli;

/// <summary>
/// What a client does so that a service's restart is not seen: a call that was Unavailable is made again, after a
/// short, growing wait; one that changes something carries a <c>request_id</c>, so that it takes effect once however
/// often it is sent; a stream that ended is resumed by its token. README.md, "Normal retries", says the same for other
/// clients.
/// </summary>
internal static class NormalRetries
{
    private const int AttemptsMax = 4;
    private const string RequestIdField = "request_id";
    private const int RequestIdLength = 32;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(300);

    /// <summary>For every call of a channel.</summary>
    public static ServiceConfig Config() => new()
    {
        MethodConfigs =
        {
            new MethodConfig
            {
                Names = { MethodName.Default },
                RetryPolicy = new RetryPolicy
                {
                    MaxAttempts = AttemptsMax,
                    InitialBackoff = TimeSpan.FromMilliseconds(100),
                    MaxBackoff = TimeSpan.FromSeconds(1),
                    BackoffMultiplier = 4,
                    RetryableStatusCodes = { StatusCode.Unavailable },
                },
            },
        },
    };

    /// <summary>The request, with an id if it can have one and has none.</summary>
    public static TRequest Repeatable<TRequest>(TRequest request)
    {
        if (request is IMessage message
            && message.Descriptor.FindFieldByName(RequestIdField) is { } field
            && field.Accessor.GetValue(message) is "")
        {
            field.Accessor.SetValue(message, RandomNumberGenerator.GetHexString(RequestIdLength, lowercase: true));
        }

        return request;
    }

    /// <summary>Follows a stream through interruptions.</summary>
    /// <param name="follow">Reads the stream until it ends.</param>
    /// <param name="canResume">Whether it has come to where it can go on from.</param>
    public static async Task ResumeAsync(Func<Task> follow, Func<bool> canResume, CancellationToken ct)
    {
        while (true)
        {
            try
            {
                await follow();
                return;
            }
            catch (RpcException e) when (e.StatusCode is StatusCode.Unavailable && canResume())
            {
                await Task.Delay(Pause, TimeProvider.System, ct);
            }
        }
    }
}
