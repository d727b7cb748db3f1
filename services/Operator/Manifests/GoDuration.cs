using System.Buffers;
using System.Globalization;
using System.Text;
using Cloud.Operator.Mattermosts;

namespace Cloud.Operator.Manifests;

/// <summary>Durations as the resource and the settings write them: <c>90s</c>, <c>1h30m</c>, <c>1.5m</c>.</summary>
public static class GoDuration
{
    private static readonly (string Unit, double Milliseconds)[] Units =
    [
        ("ns", 1e-6), ("us", 1e-3), ("µs", 1e-3), ("ms", 1), ("s", 1e3), ("m", 60e3), ("h", 3600e3),
    ];

    /// <summary>What an <c>int64</c> of nanoseconds can hold, some 292 years.</summary>
    private const double LongestMilliseconds = long.MaxValue / 1e6;

    private static readonly SearchValues<char> Digits = SearchValues.Create("0123456789");
    private static readonly SearchValues<char> NumberCharacters = SearchValues.Create("0123456789.");

    private static readonly TimeSpan Default = TimeSpan.FromMinutes(5);

    /// <summary>
    /// The canonical form, <c>5m0s</c> when nothing is given; pods of existing installations bear it.
    /// </summary>
    /// <exception cref="SpecProblemException">The text is no duration.</exception>
    public static string Canonical(string? text)
    {
        var value = string.IsNullOrEmpty(text) ? Default : Parse(text);
        var result = new StringBuilder();
        var hours = (long)value.TotalHours;
        if (hours > 0)
        {
            result.Append(hours).Append('h');
        }

        if (hours > 0 || value.Minutes > 0)
        {
            result.Append(value.Minutes).Append('m');
        }

        var seconds = value.Seconds + (value.Milliseconds / 1000.0);
        return value > TimeSpan.Zero && value < TimeSpan.FromSeconds(1)
            ? value.TotalMilliseconds.ToString("0.###", CultureInfo.InvariantCulture) + "ms"
            : result.Append(seconds.ToString("0.###", CultureInfo.InvariantCulture)).Append('s').ToString();
    }

    /// <summary>How long that is.</summary>
    /// <exception cref="SpecProblemException">The text is no duration.</exception>
    public static TimeSpan Parse(string text)
    {
        var total = 0.0;
        var rest = text.AsSpan();
        while (rest.Length > 0)
        {
            var digits = rest.IndexOfAnyExcept(NumberCharacters);
            var letters = digits < 0 ? -1 : rest[digits..].IndexOfAny(Digits);
            var unit = digits < 0 ? "" : (letters < 0 ? rest[digits..] : rest.Slice(digits, letters)).ToString();
            var scale = Units.FirstOrDefault(u => u.Unit == unit).Milliseconds;
            if (digits <= 0 || scale == 0
                || !double.TryParse(rest[..digits], NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
                || (total += number * scale) > LongestMilliseconds)
            {
                throw new SpecProblemException("DurationInvalid", $"'{text}' is no duration such as 90s or 5m.");
            }

            rest = letters < 0 ? [] : rest[(digits + letters)..];
        }

        return TimeSpan.FromMilliseconds(total);
    }
}
