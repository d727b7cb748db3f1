using Cloud.Protos.Supervision.V1;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>A message of any Watch stream; the noun copies it into its own.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Resource">The resource; null on SNAPSHOT_END and BOOKMARK.</param>
/// <param name="PreviousState">On CHANGE the state before, empty for a creation.</param>
/// <param name="Reason">On CHANGE why, in words.</param>
/// <param name="ResumeToken">Where to go on after this message. Empty within the snapshot: half of one is nothing to
/// resume from.</param>
public sealed record WatchMessage<TResource>(
    WatchKind Kind, TResource? Resource, string PreviousState, string Reason, string ResumeToken)
    where TResource : class;
