using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Rpc = Google.Rpc;

namespace Cloud.ServiceDefaults.Hosting;

/// <summary>The problems callers are told about; use: <c>throw Problem.NotFound(name)</c>. The code says what to do:
/// InvalidArgument: correct the named fields. NotFound: there is no such thing. AlreadyExists: choose another value.
/// FailedPrecondition: not in this state (metadata <c>state</c>, <c>allowed</c>). Aborted: read again and retry.
/// ResourceExhausted: ask an operator or wait. Unavailable: the same request again after RetryInfo. OutOfRange: begin
/// again without the token.</summary>
public static class Problem
{
    /// <summary>The domain of every reason.</summary>
    public const string Domain = "cloud.mattermost.com";

    /// <summary>Bytes of all wrong fields that are told together.</summary>
    private const int FieldsTextMax = 2500;

    private const int FieldLengthMax = 150;
    private const int DescriptionLengthMax = 300;
    private const int MessageLengthMax = 400;

    /// <summary>There is no such resource.</summary>
    public static ProblemException NotFound(string resourceName) => new(
        ErrorReason.ResourceNotFound,
        $"{resourceName} does not exist.",
        Resource(resourceName, "not found"));

    /// <summary>The request is wrong; all wrong fields at once, as far as a status can carry them: it travels in
    /// headers, which many clients refuse beyond 8 KiB.</summary>
    public static ProblemException Invalid(params FieldProblem[] fields)
    {
        var details = new Rpc.BadRequest();
        var room = FieldsTextMax;
        foreach (var field in fields)
        {
            var told = new Rpc.BadRequest.Types.FieldViolation
            {
                Field = Cut(field.Field, FieldLengthMax),
                Description = Cut(field.Description, DescriptionLengthMax),
                Reason = field.Reason.Text(),
            };
            room -= told.CalculateSize();
            if (room < 0 && details.FieldViolations.Count > 0)
            {
                break;
            }

            details.FieldViolations.Add(told);
        }

        var untold = fields.Length - details.FieldViolations.Count;
        var message = Cut(
            string.Join("; ", details.FieldViolations.Select(v => $"{v.Field}: {v.Description}")), MessageLengthMax)
            + (untold == 0 ? "" : $" (and {untold} more)");
        var reason = fields is [var only] ? only.Reason : ErrorReason.FieldsInvalid;
        return new(StatusCode.InvalidArgument, reason, message, details);
    }

    /// <summary>The resource's state forbids the verb.</summary>
    /// <param name="verb">What was asked, as people say it: <c>hibernate</c>.</param>
    /// <param name="allowedStates">The states in which it may be asked.</param>
    public static ProblemException WrongState(
        string resourceName, string state, string verb, IEnumerable<string> allowedStates)
    {
        var allowed = string.Join(", ", allowedStates);
        var message = $"Cannot {verb} {resourceName}: it is {state}; allowed in {allowed}.";
        return new(ErrorReason.StateWrong, message, Precondition("STATE", resourceName, message))
        {
            Metadata = new Dictionary<string, string>
            {
                ["resource"] = resourceName, ["state"] = state, ["verb"] = verb, ["allowed"] = allowed,
            },
        };
    }

    /// <summary>Something else must be true first.</summary>
    /// <param name="metadata">Values a program may need, for example what was expected.</param>
    public static ProblemException FailedPrecondition(
        ErrorReason reason,
        string resourceName,
        string message,
        IReadOnlyDictionary<string, string>? metadata = null) =>
        new(reason, message, Precondition(reason.Text(), resourceName, message))
        {
            Metadata = metadata ?? new Dictionary<string, string>(),
        };

    /// <summary>The resource changed since the caller read it.</summary>
    public static ProblemException EtagMismatch(string resourceName, string given, string current) => new(
        ErrorReason.EtagMismatch,
        $"{resourceName} changed since it was read (etag {given}, now {current}): read it again and decide anew.",
        Resource(resourceName, "etag mismatch"))
    {
        Metadata = new Dictionary<string, string> { ["etag"] = given, ["current"] = current },
    };

    /// <summary>A lost race that a fresh read and a repeat cure.</summary>
    public static ProblemException Aborted(ErrorReason reason, string message) => new(reason, message);

    /// <summary>Another resource has that value.</summary>
    public static ProblemException AlreadyExists(
        string field, string value, ErrorReason reason = ErrorReason.ValueTaken) =>
        new(reason, $"{field} '{value}' is taken.", Resource(value, $"{field} is taken"))
        {
            Metadata = new Dictionary<string, string> { ["field"] = field, ["value"] = value },
        };

    /// <summary>No room or no quota is left.</summary>
    /// <param name="metadata">Values a program may need, for example each place looked at and why it has none.</param>
    /// <param name="retryAfter">When to ask again, where that can help by itself.</param>
    public static ProblemException Exhausted(
        ErrorReason reason,
        string message,
        IReadOnlyDictionary<string, string>? metadata = null,
        TimeSpan? retryAfter = null) =>
        new(reason, message, retryAfter is { } after ? [Retry(after)] : [])
        {
            Metadata = metadata ?? new Dictionary<string, string>(),
        };

    /// <summary>Something this service needs does not answer; the same request may be sent again.</summary>
    public static ProblemException Unavailable(ErrorReason reason, string message, TimeSpan retryAfter) =>
        new(reason, message, Retry(retryAfter));

    /// <summary>A page token that is not ours or was made for another filter.</summary>
    public static ProblemException PageTokenInvalid(string field = "page_token") => Invalid(new FieldProblem(
        field, "is not a token of this list with this filter; start without one", ErrorReason.PageTokenInvalid));

    /// <summary>A resume token older than what is kept: begin again without one.</summary>
    public static ProblemException TokenExpired(string oldest) => new(
        ErrorReason.ResumeTokenTooOld,
        "What happened at that position is no longer kept: start again without a token.")
    {
        Metadata = new Dictionary<string, string> { ["oldest"] = oldest },
    };

    /// <summary>A request id used before for something else.</summary>
    public static ProblemException RequestIdReused(string requestId) => new(
        ErrorReason.RequestIdReused,
        $"request_id '{requestId}' was used for a different request in the last 24 hours; use a new one.",
        Resource(requestId, "request_id is taken"))
    {
        Metadata = new Dictionary<string, string> { ["field"] = "request_id", ["value"] = requestId },
    };

    internal static IMessage Retry(TimeSpan after) => new Rpc.RetryInfo { RetryDelay = Duration.FromTimeSpan(after) };

    /// <summary>A text short enough for a status.</summary>
    internal static string Cut(string text, int length)
    {
        if (text.Length <= length)
        {
            return text;
        }

        // Half a character cannot be sent.
        return text[..(char.IsHighSurrogate(text[length - 1]) ? length - 1 : length)] + "...";
    }

    private static Rpc.ResourceInfo Resource(string name, string description) => new()
    {
        ResourceName = name,
        ResourceType = name.Split('/') is [var collection, _, ..] ? collection : "",
        Description = description,
    };

    private static Rpc.PreconditionFailure Precondition(string type, string subject, string description) => new()
    {
        Violations =
        {
            new Rpc.PreconditionFailure.Types.Violation { Type = type, Subject = subject, Description = description },
        },
    };
}
