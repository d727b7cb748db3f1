using System.Globalization;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;

namespace Cloud.Requests;

/// <summary>Resume tokens of Watch streams: a position of this service's feed, bound to the stream's filter.</summary>
public static class WatchPosition
{
    /// <summary>The filter of a stream that has none.</summary>
    public static string Everything { get; } = PageToken.HashOf("everything");

    /// <summary>The token of a position.</summary>
    public static string Write(long position, string filterHash) =>
        PageToken.Encode(filterHash, position.ToString(CultureInfo.InvariantCulture));

    /// <summary>The position in a token; null when it is empty: the stream then begins with a snapshot.</summary>
    public static long? Read(string token, string filterHash)
    {
        if (token.Length == 0)
        {
            return null;
        }

        return PageToken.TryDecode(token, filterHash, out var key)
            && long.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out var position)
                ? position
                : throw Problem.Invalid(new FieldProblem(
                    "resume_token", "is not a token of this stream with this filter; start without one",
                    "RESUME_TOKEN_INVALID"));
    }
}
