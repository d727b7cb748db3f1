using Cloud.Simulator.ApiServers.Objects;

namespace Cloud.Simulator.ApiServers.Storage;

/// <summary>
/// One change of one object. <paramref name="After"/> is the new version, or for a deletion the last one under the
/// deletion's own revision; <paramref name="Before"/> is null when the object is new.
/// </summary>
public sealed record Change(StoredObject? Before, StoredObject After, bool Deleted)
{
    public long Revision => After.Revision;
}
