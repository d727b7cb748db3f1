using System.Text.Json;
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

    /// <summary>Longest message that is kept, in characters.</summary>
    private const int MessageLengthMax = 1000;

    /// <summary>The step took longer than its rule allows.</summary>
    public static Failure Deadline(TimeSpan deadline) => new(
        "STEP_DEADLINE", $"The step did not finish within {deadline.TotalSeconds:0} s.", Fault.World, true, true);

    /// <summary>The state lasted longer than its rule allows.</summary>
    public static Failure GaveUp(TimeSpan after, string? waitingFor, string? lastErrorCode, Fault? fault) => new(
        lastErrorCode ?? "STATE_DEADLINE",
        Cut($"Gave up after {Words(after)}" + (waitingFor is null ? "." : $": {waitingFor}")),
        fault ?? Fault.World,
        false,
        true);

    /// <summary>The step answered a state that its rule does not list.</summary>
    public static Failure Unlisted(string from, string to) => new(
        "RULE_BROKEN", $"A step of {from} answered {to}, which its rule does not list.", Fault.Operator, true, false);

    /// <summary>What an exception means.</summary>
    public static Failure Of(Exception exception) => exception switch
    {
        StepException step => new(step.Code, Cut(step.Message), step.Fault, step.Retryable, true)
        {
            RetryAfter = step.RetryAfter ?? (step.InnerException is RpcException said ? RetryAfterOf(said) : null),
        },
        RpcException rpc => OfPeer(rpc),
        HttpRequestException http => new("WORLD_UNREACHABLE", Cut(http.Message), Fault.World, true, true),
        NpgsqlException when DatabaseTrouble.IsAway(exception) =>
            new("DATABASE_UNAVAILABLE", Cut(exception.Message), Fault.World, true, true),
        PostgresException refused when DatabaseTrouble.IsPassing(refused) =>
            new("DATABASE_BUSY", Cut(refused.MessageText), Fault.World, true, true),
        PostgresException { SqlState: PostgresErrorCodes.UniqueViolation } taken => new(
            "DATABASE_VALUE_TAKEN",
            Cut($"Another row was first with what only one may have ({taken.ConstraintName})."),
            Fault.World, true, true),
        TimeoutException slow => new("WORLD_TIMEOUT", Cut(slow.Message), Fault.World, true, true),
        OperationCanceledException =>
            new("WORLD_TIMEOUT", "A call to the outside was cut off.", Fault.World, true, true),
        _ => new("UNEXPECTED", Cut($"{exception.GetType().Name}: {exception.Message}"), Fault.Operator, true, false),
    };

    /// <summary>The reason another service gave, or one made of its status code.</summary>
    public static string ReasonOf(RpcException rpc) =>
        rpc.GetRpcStatus()?.GetDetail<Rpc.ErrorInfo>()?.Reason is { Length: > 0 } reason
            ? reason
            : "PEER_" + JsonNamingPolicy.SnakeCaseUpper.ConvertName(rpc.StatusCode.ToString());

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
