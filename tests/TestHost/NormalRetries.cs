using Grpc.Core;
using Grpc.Net.Client.Configuration;

namespace Cloud.TestHost;

/// <summary>What README.md calls normal retries of a call, and nothing more.</summary>
public static class NormalRetries
{
    /// <summary>For every call of a channel.</summary>
    public static ServiceConfig Config { get; } = new()
    {
        MethodConfigs =
        {
            new MethodConfig
            {
                Names = { MethodName.Default },
                RetryPolicy = new RetryPolicy
                {
                    MaxAttempts = 4,
                    InitialBackoff = TimeSpan.FromMilliseconds(100),
                    MaxBackoff = TimeSpan.FromSeconds(1),
                    BackoffMultiplier = 4,
                    RetryableStatusCodes = { StatusCode.Unavailable },
                },
            },
        },
    };
}
