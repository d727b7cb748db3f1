namespace Cloud.Installations;

/// <summary>How deletions go when the request does not say. Configuration section <c>Deletion</c>.</summary>
public sealed record DeletionOptions
{
    /// <summary>How long a deletion stays pending and can be taken back. Default 3 minutes, the
    /// predecessor's.</summary>
    public TimeSpan PendingTime { get; init; } = TimeSpan.FromMinutes(3);
}
