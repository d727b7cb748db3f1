using Proto = Cloud.Protos.Supervision.V1;

namespace Cloud.ServiceDefaults.Supervision;

/// <summary>Who can end a failure.</summary>
public enum Fault
{
    /// <summary>The caller: what the resource was asked to be must change.</summary>
    Caller,

    /// <summary>The operators of this cloud: capacity, credentials, configuration.</summary>
    Operator,

    /// <summary>The outside world: a server that is down, a network. Trying again may be enough.</summary>
    World,
}

/// <summary>A failure that a step understands. The supervisor records code and message in the row; the step only says
/// what went wrong. Who can end it and whether trying again can help are the code's, in the contract.</summary>
public sealed class StepException : Exception
{
    /// <summary>A failure of ours.</summary>
    /// <param name="reason">What went wrong.</param>
    /// <param name="message">For people: what failed, and what to do about it. It is public.</param>
    /// <param name="inner">What caused it.</param>
    public StepException(ErrorReason reason, string message, Exception? inner = null)
        : this(reason.Text(), message, FaultOf(reason), reason.VerdictOf().Retryable, inner)
    {
    }

    private StepException(string code, string message, Fault fault, bool retryable, Exception? inner)
        : base(message, inner) => (Code, Fault, Retryable) = (code, fault, retryable);

    /// <summary>UPPER_SNAKE_CASE, stable.</summary>
    public string Code { get; }

    /// <summary>The code, if it is one that is known here.</summary>
    public ErrorReason Reason => ErrorReasons.Of(Code);

    /// <summary>Who can end it.</summary>
    public Fault Fault { get; }

    /// <summary>Whether trying again can help; if not, the row goes to its failed state at once.</summary>
    public bool Retryable { get; }

    /// <summary>How long the outside asked to be left alone; null when it did not say. An answer of another service
    /// given as the cause says it by itself.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Whether the target that the step's row is limited by (see
    /// <see cref="SupervisorOptions{TRow}.BulkheadBy"/>) did not answer or could not serve, so that more steps at once
    /// would only wait there too. Others that a step talks to, and refusals, do not count.</summary>
    public bool TargetFailed { get; init; }

    /// <summary>What another service said, under its own code, which need not be one that is known here.</summary>
    /// <param name="code">Its code.</param>
    /// <param name="message">As above.</param>
    /// <param name="fault">Who can end it.</param>
    /// <param name="retryable">Whether asking again can help.</param>
    /// <param name="inner">Its answer.</param>
    public static StepException PassedOn(
        string code, string message, Fault fault, bool retryable, Exception? inner = null) =>
        new(code, message, fault, retryable, inner);

    /// <summary>The same where it is not waited for: the row goes to its failed state at once.</summary>
    public StepException AsFinal() => new(Code, Message, Fault, retryable: false, this)
    {
        TargetFailed = TargetFailed,
    };

    internal static Fault FaultOf(ErrorReason reason) => reason.VerdictOf().Fault switch
    {
        Proto.Fault.Caller => Fault.Caller,
        Proto.Fault.Operator => Fault.Operator,
        _ => Fault.World,
    };
}
