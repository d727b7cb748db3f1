using System.Globalization;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>A position in this service's feed.</summary>
/// <param name="Generation">Of which of its histories: grows when the database was restored from an older backup, so
/// that positions of what is no longer so are recognized.</param>
/// <param name="Sequence">Everything up to here has happened before.</param>
public readonly record struct FeedPlace(long Generation, long Sequence)
{
    /// <summary>Reads what <see cref="ToString"/> wrote; null when it is not that.</summary>
    public static FeedPlace? Parse(string text) =>
        text.Split('.') is [var generation, var sequence]
        && long.TryParse(generation, NumberStyles.None, CultureInfo.InvariantCulture, out var g)
        && long.TryParse(sequence, NumberStyles.None, CultureInfo.InvariantCulture, out var s)
            ? new FeedPlace(g, s)
            : null;

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Generation}.{Sequence}");
}
