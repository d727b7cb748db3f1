using System.Globalization;
using Cloud.ServiceDefaults.Hosting;

namespace Cloud.Clusters;

/// <summary>Positions of a feed as the resume tokens of a stream.</summary>
internal static class FeedToken
{
    public static string Write(long position, string hash) =>
        PageToken.Encode(hash, position.ToString(CultureInfo.InvariantCulture));

    /// <summary>The position; null when there is no token, or with a problem noted when it is none of this
    /// stream.</summary>
    public static long? Read(string token, string hash, FieldProblems problems)
    {
        if (token.Length == 0) return null;
        if (PageToken.TryDecode(token, hash, out var key)
            && long.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out var position))
            return position;
        problems.Add("resume_token", "It is not a token of such a stream with this filter; start without one.",
            "RESUME_TOKEN_INVALID");
        return null;
    }
}
