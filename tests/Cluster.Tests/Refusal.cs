using Google.Rpc;
using Grpc.Core;
using Xunit;

namespace Cloud.ClusterTests;

/// <summary>What a caller is told when it is refused.</summary>
internal sealed record Refusal(StatusCode Code, string Reason, string Message, Google.Rpc.Status Rich)
{
    /// <summary>The fields that are wrong.</summary>
    public IReadOnlyList<string> Fields =>
        [.. (Rich.GetDetail<BadRequest>()?.FieldViolations ?? []).Select(violation => violation.Field)];

    /// <summary>Values for programs.</summary>
    public IDictionary<string, string> Metadata => Rich.GetDetail<ErrorInfo>()!.Metadata;

    /// <summary>The refusal of a call that must be refused.</summary>
    public static async Task<Refusal> OfAsync<T>(AsyncUnaryCall<T> call) => Of(
        await Assert.ThrowsAsync<RpcException>(async () => await call));

    /// <summary>The refusal of a call that must be refused.</summary>
    public static async Task<Refusal> OfAsync(Task call) => Of(await Assert.ThrowsAsync<RpcException>(() => call));

    private static Refusal Of(RpcException refused)
    {
        var rich = refused.GetRpcStatus();
        Assert.NotNull(rich);
        return new Refusal(refused.StatusCode, rich.GetDetail<ErrorInfo>()!.Reason, refused.Status.Detail, rich);
    }
}
