using Grpc.Core;

namespace Cloud.Cli;

/// <summary>
/// Says who calls, for the audit, makes every request one that may be sent again, and bounds every call that is not a
/// stream: a service that does not answer must not hold a person's terminal.
/// </summary>
internal sealed class NamedCaller(CallInvoker inner) : CallInvoker
{
    /// <summary>Longest wait for one answer.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    // A header holds ASCII alone, and people's names more than that.
    private static readonly string Actor =
        "cli:" + string.Concat(Environment.UserName.Select(c => char.IsAscii(c) && !char.IsControl(c) ? c : '?'));

    public override TResponse BlockingUnaryCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) =>
        inner.BlockingUnaryCall(method, host, Bounded(options), NormalRetries.Repeatable(request));

    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) =>
        inner.AsyncUnaryCall(method, host, Bounded(options), NormalRetries.Repeatable(request));

    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) =>
        inner.AsyncServerStreamingCall(method, host, Named(options), request);

    public override AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options) =>
        inner.AsyncClientStreamingCall(method, host, Named(options));

    public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options) =>
        inner.AsyncDuplexStreamingCall(method, host, Named(options));

    private static CallOptions Bounded(CallOptions options) =>
        Named(options.WithDeadline(TimeProvider.System.GetUtcNow().Add(Patience).UtcDateTime));

    private static CallOptions Named(CallOptions options)
    {
        var headers = options.Headers ?? [];
        headers.Add("x-actor", Actor);
        return options.WithHeaders(headers);
    }
}
