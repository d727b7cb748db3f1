namespace Cloud.Installations;

/// <summary>How long steps wait when nothing nudges them. The services asked nudge with every change of theirs that
/// belongs to an installation, so these only bound what a lost nudge costs.</summary>
internal static class Waiting
{
    /// <summary>For work that another service has under way.</summary>
    public static readonly TimeSpan ForAnotherService = TimeSpan.FromSeconds(30);

    /// <summary>For room: nobody can tell who should get it, so each one asks again.</summary>
    public static readonly TimeSpan ForRoom = TimeSpan.FromSeconds(30);

    /// <summary>For a moment that is further away than this, in steps of this.</summary>
    public static readonly TimeSpan ForAMomentAtMost = TimeSpan.FromDays(1);
}
