namespace Cloud.Watching;

/// <summary>What a watch reports. Errors inside the stream are thrown, never yielded.</summary>
public enum WatchEventKind
{
    Added,
    Modified,
    Deleted,

    /// <summary>Nothing changed; only the resource version is news. The object is absent.</summary>
    Bookmark,
}

/// <summary>One line of a watch.</summary>
/// <param name="Object">Null for bookmarks.</param>
/// <param name="ResourceVersion">Where a later watch may resume. Opaque: never compare its order.</param>
public sealed record WatchEvent<T>(WatchEventKind Kind, T? Object, string ResourceVersion);

/// <summary>One chunk of a list.</summary>
/// <param name="Undecodable">The objects that the class could not hold; they are not among the items.</param>
/// <param name="ResourceVersion">Where a watch may start.</param>
/// <param name="Continue">Token of the next chunk; null on the last.</param>
public sealed record ObjectPage<T>(
    IReadOnlyList<T> Items, IReadOnlyList<UndecodableObject> Undecodable, string ResourceVersion, string? Continue);

/// <summary>An object that its class could not hold.</summary>
/// <param name="Object">As far as it can be held without the class; null when not even its metadata can.</param>
/// <param name="Reason">What is wrong with it, the same words as long as that is wrong.</param>
public sealed record UndecodableObject(ObjectKey Key, UnstructuredObject? Object, string Reason);

/// <summary>Which objects of a kind a list or watch covers.</summary>
/// <param name="Namespace">Null for all namespaces.</param>
public sealed record Selection(string? Namespace = null, string? LabelSelector = null, string? FieldSelector = null);

/// <summary>A watched object did not fit its class, so what the stream said is not fully known: list again.</summary>
public sealed class UndecodableObjectException(string message, Exception inner) : Exception(message, inner);
