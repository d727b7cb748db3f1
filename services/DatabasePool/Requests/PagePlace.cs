using System.Globalization;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;

namespace Cloud.Requests;

/// <summary>Where a page of a list by age ended: creation time and id of its last row.</summary>
public sealed record PagePlace(DateTimeOffset CreateTime, string Id)
{
    /// <summary>The token that goes on from here.</summary>
    public string ToToken(string filterHash) => PageToken.Encode(
        filterHash, string.Create(CultureInfo.InvariantCulture, $"{CreateTime.UtcTicks}:{Id}"));

    /// <summary>Reads a token; null when it is empty. One that is not ours is a problem of the request.</summary>
    public static PagePlace? Read(string token, string filterHash, FieldProblems problems)
    {
        if (token.Length == 0)
        {
            return null;
        }

        if (PageToken.TryDecode(token, filterHash, out var key)
            && key.Split(':') is [var ticks, var id]
            && long.TryParse(ticks, NumberStyles.None, CultureInfo.InvariantCulture, out var utc)
            && utc <= DateTimeOffset.MaxValue.UtcTicks)
        {
            return new PagePlace(new DateTimeOffset(utc, TimeSpan.Zero), id);
        }

        problems.Add(
            "page_token", "is not a token of this list with this filter; start without one", "PAGE_TOKEN_INVALID");
        return null;
    }
}

/// <summary>How many rows a page has.</summary>
public static class PageSize
{
    public const int Default = 100;

    public const int Max = 1000;

    /// <summary>The size that a request means.</summary>
    public static int Of(int asked, FieldProblems problems)
    {
        if (asked is < 0 or > Max)
        {
            problems.Add("page_size", $"must be 1 to {Max}, or 0 for {Default}", "PAGE_SIZE_INVALID");
        }

        return asked == 0 ? Default : asked;
    }
}
