using Google.Protobuf;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>What a noun says about itself so that it can be watched.</summary>
/// <param name="Noun">Resource type of its events: <c>cluster_installation</c>.</param>
/// <param name="Parser">Reads the snapshots that its events carry.</param>
public sealed record Watched<TRow, TResource>(string Noun, MessageParser<TResource> Parser)
    where TRow : StoredRow
    where TResource : class, IMessage<TResource>
{
    /// <summary>Hash of everything that decides what the stream shows (<see cref="PageToken.HashOf"/>); a resume token
    /// of another one is refused.</summary>
    public required string FilterHash { get; init; }

    /// <summary>A page of the rows that match now, oldest first: where the page before ended, and how many.</summary>
    public required Func<PageKey?, int, CancellationToken, Task<IReadOnlyList<TRow>>> Page { get; init; }

    /// <summary>A row as clients see it.</summary>
    public required Func<TRow, TResource> Show { get; init; }

    /// <summary>Whether a resource matches when it is in a state: the one it has, or the one it left. What stops
    /// matching is sent once more, so that the client sees it leave; where it can stop other than by its state, the
    /// noun's events carry <see cref="ResourceEvent.SnapshotBefore"/>.</summary>
    public Func<TResource, string, bool> Matches { get; init; } = (_, _) => true;

    /// <summary>Fills in what neither row nor event hold, for many at once.</summary>
    public Func<IReadOnlyList<TResource>, CancellationToken, Task> CompleteAsync { get; init; } =
        (_, _) => Task.CompletedTask;

    /// <summary>Whether events can tell something new without a new version of the row: an event of the very version
    /// that the snapshot showed is then sent, and may be a repetition.</summary>
    public bool TellsWithinVersion { get; init; }
}
