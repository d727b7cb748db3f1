using System.Globalization;

namespace Cloud.Simulator.Controllers;

/// <summary>Reads Kubernetes quantities: "100m", "1.5", "2Gi", "1e3".</summary>
internal static class Quantity
{
    private static readonly (string Suffix, decimal Factor)[] Factors =
    [
        ("Ki", 1024m), ("Mi", 1024m * 1024), ("Gi", 1024m * 1024 * 1024), ("Ti", 1024m * 1024 * 1024 * 1024),
        ("Pi", 1024m * 1024 * 1024 * 1024 * 1024),
        ("n", 0.000000001m), ("u", 0.000001m), ("m", 0.001m),
        ("k", 1_000m), ("M", 1_000_000m), ("G", 1_000_000_000m), ("T", 1_000_000_000_000m), ("P", 1e15m),
    ];

    /// <summary>In thousandths, rounded up; an unreadable or missing quantity counts as nothing.</summary>
    public static long Thousandths(string? text) => (long)Math.Ceiling(Parse(text) * 1000);

    /// <summary>In whole units, rounded up; an unreadable or missing quantity counts as nothing.</summary>
    public static long Units(string? text) => (long)Math.Ceiling(Parse(text));

    private static decimal Parse(string? text)
    {
        if (string.IsNullOrEmpty(text)) return 0;
        foreach (var (suffix, factor) in Factors)
        {
            if (!text.EndsWith(suffix, StringComparison.Ordinal)) continue;
            return Number(text[..^suffix.Length]) * factor;
        }
        return Number(text);
    }

    private static decimal Number(string text) =>
        decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : 0;
}
