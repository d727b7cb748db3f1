using Google.Rpc;
using Grpc.Core;
using Xunit;

namespace Cloud.Installations.Tests;

/// <summary>What a refusal must look like: a status that a program can act on and a person can read.</summary>
internal static class Refused
{
    /// <summary>The call is refused with this reason; answers the refusal for a closer look.</summary>
    public static async Task<RpcException> With<T>(string reason, Func<Task<T>> call)
    {
        var refusal = await Assert.ThrowsAsync<RpcException>(async () => await call());
        var error = refusal.GetRpcStatus()?.GetDetail<ErrorInfo>();
        Assert.True(error is not null, $"Not a rich status: {refusal.Status}");
        Assert.True(reason == error.Reason, $"{error.Reason}: {refusal.Status.Detail}");
        Assert.Equal("cloud.mattermost.com", error.Domain);
        return refusal;
    }

    /// <summary>Reasons by field of an INVALID_ARGUMENT.</summary>
    public static IReadOnlyList<(string Field, string Reason)> Fields(this RpcException refusal) =>
    [
        .. refusal.GetRpcStatus()!.GetDetail<BadRequest>()!.FieldViolations.Select(v => (v.Field, v.Reason)),
    ];

    /// <summary>A value for programs.</summary>
    public static string Metadata(this RpcException refusal, string key) =>
        refusal.GetRpcStatus()!.GetDetail<ErrorInfo>()!.Metadata[key];
}
