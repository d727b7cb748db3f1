namespace Cloud.Providers;

/// <summary>States that cluster installations and logical databases share, as their services' contracts name them;
/// every other one means that work is under way.</summary>
internal static class PeerStates
{
    public const string Stable = "stable";
    public const string CreationFailed = "creation-failed";
    public const string DeletionRequested = "deletion-requested";
    public const string DeletionFailed = "deletion-failed";
    public const string Deleted = "deleted";
}
