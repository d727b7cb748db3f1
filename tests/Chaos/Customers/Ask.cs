using Cloud.Protos.Installation.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Cloud.Chaos.Customers;

/// <summary>What a customer knows about a request.</summary>
internal enum Verdict
{
    /// <summary>No answer came: it may have taken effect or not.</summary>
    Unknown,

    /// <summary>It was answered, so it has taken effect.</summary>
    Acknowledged,

    /// <summary>It was refused for a reason that the customer must expect, so it has not taken effect.</summary>
    Refused,

    /// <summary>It was answered in a way that no request may be.</summary>
    Broken,
}

/// <summary>One mutation, which is sent with the same request id until there is a verdict.</summary>
/// <param name="Verb">As in the log: <c>create</c>, <c>update</c>...</param>
/// <param name="Subject">The installation's name; of a creation the name hint.</param>
/// <param name="Request">What is sent.</param>
/// <param name="Send">Sends it.</param>
internal sealed record Ask(
    string Verb, string Subject, string RequestId, IMessage Request,
    Func<CallOptions, AsyncUnaryCall<Installation>> Send)
{
    public Verdict Verdict { get; set; }

    /// <summary>The acknowledgement.</summary>
    public Installation? Answer { get; set; }

    /// <summary>Why it was refused, or is broken.</summary>
    public Status? Refusal { get; set; }

    /// <summary>The installation it was about; null when a creation was not acknowledged.</summary>
    public string? Installation => Answer?.Name ?? (Verb == Verbs.Create ? null : Subject);

    /// <summary>What became of another copy that was sent at the same time. A refusal is not remembered, so one copy
    /// may have been refused before the other took effect; two that took effect must have had one answer.</summary>
    public void Join(Verdict verdict, Installation? answer, Status? refusal)
    {
        if (verdict is Verdict.Broken || (Verdict is Verdict.Refused && verdict is not Verdict.Refused))
        {
            (Verdict, Answer, Refusal) = (verdict, answer, refusal);
        }
        else if (verdict is Verdict.Acknowledged && Answer is { } first && !first.Equals(answer))
        {
            Verdict = Verdict.Broken;
            Refusal = new(StatusCode.OK, $"Sent twice at once, it was answered in two ways: {first} and {answer}");
        }
    }

    /// <summary>For deletions: how long it was to stay pending.</summary>
    public TimeSpan PendingTime => (Request as DeleteInstallationRequest)?.PendingTime?.ToTimeSpan() ?? TimeSpan.Zero;
}

/// <summary>What customers can ask for.</summary>
internal static class Verbs
{
    public const string Create = "create";
    public const string Update = "update";
    public const string Hibernate = "hibernate";
    public const string WakeUp = "wake";
    public const string Delete = "delete";
    public const string CancelDeletion = "cancel-deletion";
    public const string Retry = "retry";
}
