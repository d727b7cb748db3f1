using System.Collections.Concurrent;
using Cloud.Protos.Installation.V1;
using Google.Rpc;
using Grpc.Core;
using Status = Grpc.Core.Status;

namespace Cloud.Chaos.Customers;

/// <summary>
/// Sends requests as a well-behaved client does: what may have been lost on the way is sent again under the same
/// request id, after a growing wait. Keeps every request with its verdict.
/// </summary>
internal sealed class Desk(InstallationService.InstallationServiceClient client, Timeline timeline)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(2);

    private readonly ConcurrentQueue<Ask> _asks = new();

    public IReadOnlyCollection<Ask> Asks => _asks;

    public InstallationService.InstallationServiceClient Client => client;

    /// <summary>Sends until there is a verdict, or nobody has patience any more.</summary>
    public async Task AskAsync(Ask ask, CancellationToken patience)
    {
        _asks.Enqueue(ask);
        timeline.Note("ask", ask.Subject, $"{ask.Verb} {ask.Request} ({ask.RequestId})");
        await SettleAsync(ask, patience);
    }

    /// <summary>Asks again about a request whose outcome is unknown.</summary>
    public async Task SettleAsync(Ask ask, CancellationToken patience)
    {
        var answer = await SendAsync(ask, patience);
        (ask.Verdict, ask.Answer, ask.Refusal) = (answer.Verdict, answer.Installation, answer.Status);
        var words = ask.Verdict switch
        {
            Verdict.Acknowledged => $"{ask.Answer!.State}, etag {ask.Answer.Etag}",
            Verdict.Unknown => "outcome unknown",
            Verdict.Refused or Verdict.Broken => $"{ask.Verdict}: {ask.Refusal}",
        };
        timeline.Note("answer", ask.Installation ?? ask.Subject, $"{ask.Verb} ({ask.RequestId}): {words}");
    }

    /// <summary>Sends a request, and again until it is answered; leaves the request itself as it is.</summary>
    public async Task<(Verdict Verdict, Installation? Installation, Status? Status)> SendAsync(
        Ask ask, CancellationToken patience)
    {
        var wait = FirstWait;
        while (true)
        {
            try
            {
                var deadline = TimeProvider.System.GetUtcNow().UtcDateTime + Deadline;
                return (Verdict.Acknowledged, await ask.Send(new CallOptions(deadline: deadline)), null);
            }
            catch (RpcException e) when (!Transient.Is(e))
            {
                return (IsExpected(ask, e) ? Verdict.Refused : Verdict.Broken, null, e.Status);
            }
            catch (RpcException e)
            {
                timeline.Note("answer", ask.Subject, $"{ask.Verb} ({ask.RequestId}): again after {e.StatusCode}");
            }

            try
            {
                await Task.Delay(wait, TimeProvider.System, patience);
            }
            catch (OperationCanceledException)
            {
                return (Verdict.Unknown, null, null);
            }

            wait = wait * 2 < LongestWait ? wait * 2 : LongestWait;
        }
    }

    /// <summary>The state forbids it now, or the row moved on since it was read. All else is nothing that these
    /// requests may be told.</summary>
    private static bool IsExpected(Ask ask, RpcException e) =>
        (e.StatusCode is StatusCode.FailedPrecondition && ReasonOf(e) == "STATE_WRONG" && ask.Verb != Verbs.Create)
        || (e.StatusCode is StatusCode.Aborted && ReasonOf(e) == "ETAG_MISMATCH");

    private static string? ReasonOf(RpcException e) => e.GetRpcStatus()?.GetDetail<ErrorInfo>()?.Reason;
}

/// <summary>Which failures of a call say nothing about its outcome.</summary>
internal static class Transient
{
    /// <summary>The service says so, or the connection broke: then the client itself made the status.</summary>
    public static bool Is(RpcException e) =>
        e.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded || e.Status.DebugException is not null;
}
