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
/// what went wrong.</summary>
/// <param name="code">UPPER_SNAKE_CASE, stable.</param>
/// <param name="message">For people: what failed, and what to do about it. It is public.</param>
/// <param name="fault">Who can end it.</param>
/// <param name="retryable">Whether trying again can help; if not, the row goes to its failed state at once.</param>
/// <param name="inner">What caused it.</param>
public sealed class StepException(
    string code, string message, Fault fault, bool retryable, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>UPPER_SNAKE_CASE, stable.</summary>
    public string Code => code;

    /// <summary>Who can end it.</summary>
    public Fault Fault => fault;

    /// <summary>Whether trying again can help.</summary>
    public bool Retryable => retryable;

    /// <summary>How long the outside asked to be left alone; null when it did not say. An answer of another service
    /// given as the cause says it by itself.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
