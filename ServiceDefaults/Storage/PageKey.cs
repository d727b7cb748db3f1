using System.Globalization;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>Where a page of a list by age ended: creation time and id of its last row.</summary>
/// <param name="CreateTime">In microseconds, as stored.</param>
/// <param name="Id">Decides between rows of the same moment.</param>
public sealed record PageKey(DateTimeOffset CreateTime, string Id)
{
    /// <summary>The key of a row.</summary>
    public static PageKey Of(StoredRow row) => new(row.CreateTime, row.Id);

    /// <summary>Reads a token; null when it is empty. One that is not ours, or of another filter, is a problem of the
    /// request.</summary>
    public static PageKey? Read(string token, string filterHash, FieldProblems problems)
    {
        if (token.Length == 0)
        {
            return null;
        }

        if (PageToken.TryDecode(token, filterHash, out var key)
            && key.Split(':') is [var ticks, var id]
            && ResourceId.IsValid(id)
            && long.TryParse(ticks, NumberStyles.None, CultureInfo.InvariantCulture, out var utc)
            && utc <= DateTimeOffset.MaxValue.UtcTicks)
        {
            return new PageKey(new DateTimeOffset(utc, TimeSpan.Zero), id);
        }

        problems.Add(
            "page_token", "It is not a token of this list with this filter; start without one.",
            ErrorReason.PageTokenInvalid);
        return null;
    }

    /// <summary>The token that goes on from here.</summary>
    public string ToToken(string filterHash) => PageToken.Encode(
        filterHash, string.Create(CultureInfo.InvariantCulture, $"{CreateTime.UtcTicks}:{Id}"));
}
