using System.Globalization;
using Google.Protobuf.WellKnownTypes;

namespace Cloud.Cli.Output;

/// <summary>Times, sizes and blanks as a person reads them.</summary>
internal static class Words
{
    public const string None = "-";

    public static string OrNone(string text) => text.Length == 0 ? None : text;

    public static string Age(Timestamp? since) =>
        since is null ? None : Duration(TimeProvider.System.GetUtcNow() - since.ToDateTimeOffset());

    public static string Duration(TimeSpan time) => time switch
    {
        { TotalSeconds: < 0 } => "0s",
        { TotalMinutes: < 2 } => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0}s"),
        { TotalHours: < 2 } => string.Create(CultureInfo.InvariantCulture, $"{time.TotalMinutes:0}m"),
        { TotalDays: < 2 } => string.Create(CultureInfo.InvariantCulture, $"{time.TotalHours:0}h"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{time.TotalDays:0}d"),
    };

    public static string Seconds(TimeSpan time) =>
        string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds,6:0.0}s");

    public static string Moment(Timestamp? time) => time is null
        ? None
        : time.ToDateTimeOffset().ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    public static string Cores(long millis) =>
        string.Create(CultureInfo.InvariantCulture, $"{millis / 1000.0:0.##}");

    public static string Gibibytes(long bytes) =>
        string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.#}Gi");

    public static string Id(string resourceName) => resourceName[(resourceName.LastIndexOf('/') + 1)..];
}
