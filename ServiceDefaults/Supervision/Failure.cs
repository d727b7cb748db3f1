using Grpc.Core;
using Npgsql;
using Rpc = Google.Rpc;

namespace Cloud.ServiceDefaults.Supervision;

/// <summary>A step's failure as it is recorded in the row and shown to people.</summary>
/// <param name="Expected">Whether the step or a known library said so; if not, it is a bug and is logged as
/// one.</param>
internal sealed record Failure(string Code, string Message, Fault Fault, bool Retryable, bool Expected)
{
    /// <summary>How long the outside asked to be left alone, if it did.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Whether it says of the row's own target that it does not answer; a slow step says so too.</summary>
    public bool TargetFailed { get; init; }

    /// <summary>Longest message that is kept, in characters.</summary>
    private const int MessageLengthMax = 1000;

    private static Failure By(ErrorReason reason, string message, bool expected = true) => new(
        reason.Text(), Cut(message), StepException.FaultOf(reason), reason.VerdictOf().Retryable, expected);

    /// <summary>The step took longer than its rule allows.</summary>
    public static Failure Deadline(TimeSpan deadline) => By(
        ErrorReason.StepDeadline, $"The step did not finish within {deadline.TotalSeconds:0} s.") with
    {
        TargetFailed = true,
    };

    /// <summary>The state lasted longer than its rule allows.</summary>
    public static Failure GaveUp(TimeSpan after, string? waitingFor, string? lastErrorCode, Fault? fault) => new(
        lastErrorCode ?? ErrorReason.StateDeadline.Text(),
        Cut($"Gave up after {Words(after)}" + (waitingFor is null ? "." : $": {waitingFor}")),
        fault ?? StepException.FaultOf(ErrorReason.StateDeadline),
        false,
        true);

    /// <summary>The step answered a state that its rule does not list.</summary>
    public static Failure Unlisted(string from, string to) => By(
        ErrorReason.RuleBroken, $"A step of {from} answered {to}, which its rule does not list.", expected: false);

    /// <summary>What an exception means.</summary>
    public static Failure Of(Exception exception) => exception switch
    {
        StepException step => new(step.Code, Cut(step.Message), step.Fault, step.Retryable, true)
        {
            TargetFailed = step.TargetFailed,
            RetryAfter = step.RetryAfter ?? (step.InnerException is RpcException said ? RetryAfterOf(said) : null),
        },
        RpcException rpc => OfPeer(rpc),
        HttpRequestException http => By(ErrorReason.WorldUnreachable, http.Message) with { TargetFailed = true },
        not TimeoutException when DatabaseTrouble.IsAway(exception) =>
            By(ErrorReason.DatabaseUnavailable, DatabaseTrouble.Words(exception)),
        PostgresException refused when DatabaseTrouble.IsPassing(refused) =>
            By(ErrorReason.DatabaseBusy, refused.MessageText),
        PostgresException { SqlState: PostgresErrorCodes.UniqueViolation } taken => By(
            ErrorReason.DatabaseValueTaken,
            $"Another row was first with what only one may have ({taken.ConstraintName})."),
        TimeoutException slow => By(ErrorReason.WorldTimeout, slow.Message) with { TargetFailed = true },
        OperationCanceledException =>
            By(ErrorReason.WorldTimeout, "A call to the outside was cut off.") with { TargetFailed = true },
        _ => By(ErrorReason.Unexpected, $"{exception.GetType().Name}: {exception.Message}", expected: false),
    };

    /// <summary>The reason another service gave, or one made of its status code.</summary>
    public static string ReasonOf(RpcException rpc) =>
        rpc.GetRpcStatus()?.GetDetail<Rpc.ErrorInfo>()?.Reason is { Length: > 0 } reason
            ? reason
            : ReasonOf(rpc.StatusCode).Text();

    private static ErrorReason ReasonOf(StatusCode status) => status switch
    {
        StatusCode.Unavailable or StatusCode.DeadlineExceeded => ErrorReason.PeerUnavailable,
        StatusCode.InvalidArgument => ErrorReason.PeerRefused,
        StatusCode.ResourceExhausted => ErrorReason.PeerExhausted,
        StatusCode.Unimplemented or StatusCode.PermissionDenied or StatusCode.Unauthenticated =>
            ErrorReason.PeerMisconfigured,
        _ => ErrorReason.PeerFailed,
    };

    /// <summary>Another service's refusal keeps its own reason and words.</summary>
    private static Failure OfPeer(RpcException rpc)
    {
        var fault = rpc.StatusCode switch
        {
            StatusCode.InvalidArgument or StatusCode.NotFound or StatusCode.AlreadyExists => Fault.Caller,
            StatusCode.ResourceExhausted or StatusCode.FailedPrecondition or StatusCode.PermissionDenied
                or StatusCode.Unauthenticated or StatusCode.Unimplemented => Fault.Operator,
            _ => Fault.World,
        };
        return new(ReasonOf(rpc), Cut(rpc.Status.Detail), fault, true, rpc.StatusCode is not StatusCode.Unknown)
        {
            RetryAfter = RetryAfterOf(rpc),
        };
    }

    private static TimeSpan? RetryAfterOf(RpcException rpc) =>
        rpc.GetRpcStatus()?.GetDetail<Rpc.RetryInfo>()?.RetryDelay?.ToTimeSpan();

    private static string Words(TimeSpan span) =>
        span.TotalHours >= 1 ? $"{span.TotalHours:0.#} h" : span.TotalMinutes >= 1 ? $"{span.TotalMinutes:0.#} min"
        : $"{span.TotalSeconds:0.#} s";

    private static string Cut(string message) =>
        message.Length <= MessageLengthMax ? message : message[..MessageLengthMax] + "...";
}
