namespace Cloud.Operator.Mattermosts;

/// <summary>
/// The resource, or an object it refers to, is not as it must be. Shown in <c>status.error</c>; nothing but a change by
/// somebody else helps, so it is retried slowly and at once when the object in question changes.
/// </summary>
/// <param name="reason">One word in PascalCase for the Event.</param>
public sealed class SpecProblemException(string reason, string message) : Exception(message)
{
    public string Reason { get; } = reason;
}
