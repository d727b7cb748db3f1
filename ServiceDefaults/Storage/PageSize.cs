using System.Globalization;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>How many rows a page of any list has, if they fit (<see cref="Page"/>).</summary>
public static class PageSize
{
    /// <summary>Rows when the request does not say.</summary>
    public const int Default = 100;

    /// <summary>Rows at most, however many are asked for (AIP-158).</summary>
    public const int Max = 1000;

    /// <summary>The size that a request means; a negative one is its mistake.</summary>
    public static int Of(int asked, FieldProblems problems)
    {
        if (asked < 0)
        {
            problems.Add(
                "page_size",
                string.Create(CultureInfo.InvariantCulture, $"From 0 to {Max}, not {asked}; 0 means {Default}."),
                ErrorReason.PageSizeInvalid);
        }

        return asked <= 0 ? Default : Math.Min(asked, Max);
    }
}
