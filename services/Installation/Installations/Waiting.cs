namespace Cloud.Installations;

/// <summary>How long steps wait when nothing nudges them. The services asked nudge the installation when what
/// was asked of them has come to an end, so these only bound what a lost nudge costs.</summary>
internal static class Waiting
{
    /// <summary>For work that another service has under way.</summary>
    public static readonly TimeSpan ForAnotherService = TimeSpan.FromSeconds(30);

    /// <summary>For room: nobody can tell who should get it, so each one asks again.</summary>
    public static readonly TimeSpan ForRoom = TimeSpan.FromSeconds(30);

    /// <summary>For a moment that is further away than this, in steps of this.</summary>
    public static readonly TimeSpan ForAMomentAtMost = TimeSpan.FromDays(1);
}
