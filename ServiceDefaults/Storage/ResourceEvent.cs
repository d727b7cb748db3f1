namespace Cloud.ServiceDefaults.Storage;

/// <summary>What happened to a resource: written in the same transaction as the change itself, numbered without gaps
/// afterwards and delivered to the event feed.</summary>
/// <param name="ResourceType">The noun, snake_case: <c>installation</c>.</param>
/// <param name="Resource">The resource name: <c>installations/{id}</c>.</param>
/// <param name="Type">One of <see cref="EventTypes"/>.</param>
public sealed record ResourceEvent(string ResourceType, string Resource, string Type)
{
    /// <summary>State before, by its public name; null for a creation.</summary>
    public string? OldState { get; init; }

    /// <summary>State after, by its public name.</summary>
    public string? NewState { get; init; }

    /// <summary>Why, in words a person understands.</summary>
    public string? Reason { get; init; }

    /// <summary>Code of the failure that caused it, if one did.</summary>
    public string? ErrorCode { get; init; }

    /// <summary>Who asked; filled from <see cref="RequestContext"/> when null.</summary>
    public string? Actor { get; init; }

    /// <summary>The request that caused it; filled from <see cref="RequestContext"/> when null.</summary>
    public string? RequestId { get; init; }

    /// <summary>W3C trace id; filled from <see cref="RequestContext"/> when null.</summary>
    public string? TraceId { get; init; }

    /// <summary>Version of the row after the change.</summary>
    public long ResourceVersion { get; init; }

    /// <summary>When it happened, in microseconds (PostgreSQL's resolution).</summary>
    public DateTimeOffset OccurredAt { get; init; }

    /// <summary>Resource name of the resource this one serves, if any; the feed's <c>installation</c> field.</summary>
    public string? Parent { get; init; }

    /// <summary>The public message of the resource right after the change, serialized: what Watch sends. Never
    /// delivered to other services.</summary>
    public byte[]? Snapshot { get; init; }

    /// <summary>As <see cref="Snapshot"/>, right before the change: set where a Watch filter may mean the resource
    /// before and not after, other than by its state. So every stream, a resumed one too, can tell that it left
    /// without remembering what its client holds.</summary>
    public byte[]? SnapshotBefore { get; init; }

    /// <summary>Who else waits for this: told after the commit. Not stored; a lost one costs time only.</summary>
    public IReadOnlyList<Nudge> Nudges { get; init; } = [];
}

/// <summary>"Look at this row": the noun and the id of a row that may have something to do.</summary>
public readonly record struct Nudge(string Noun, string Id)
{
    /// <summary>For a resource by its name: <c>installations/a</c> is the row <c>a</c> of the noun
    /// <c>installation</c>. Of collections whose name is one word, as those are that others serve.</summary>
    public static Nudge Of(string resource)
    {
        var slash = resource.IndexOf('/', StringComparison.Ordinal);
        return new Nudge(resource[..slash].TrimEnd('s'), resource[(slash + 1)..]);
    }
}

/// <summary>The types of events.</summary>
public static class EventTypes
{
    /// <summary>The resource was asked for.</summary>
    public const string Created = "created";

    /// <summary>It moved to another state.</summary>
    public const string StateChanged = "state-changed";

    /// <summary>It stayed in its state and something else about it changed.</summary>
    public const string Updated = "updated";

    /// <summary>It reached the state <c>deleted</c>: nothing of it is left outside.</summary>
    public const string Deleted = "deleted";

    /// <summary>A source of events was restored from an older backup. Written by the feed alone.</summary>
    public const string SourceRestored = "source-restored";

    /// <summary>A source no longer has events that the feed never got. Written by the feed alone.</summary>
    public const string EventsLost = "events-lost";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> All { get; } =
        [Created, StateChanged, Updated, Deleted, SourceRestored, EventsLost];
}
