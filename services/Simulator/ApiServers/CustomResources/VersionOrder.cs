using System.Globalization;

namespace Cloud.Simulator.ApiServers.CustomResources;

/// <summary>
/// Kubernetes' order of version names: v2 over v1 over v1beta2 over v1beta1 over v1alpha1, then any others.
/// </summary>
public sealed class VersionOrder : IComparer<string>
{
    public static VersionOrder Instance { get; } = new();

    public int Compare(string? x, string? y)
    {
        var (one, other) = (Rank(x ?? ""), Rank(y ?? ""));
        var order = one.CompareTo(other);
        return order != 0 ? order : string.CompareOrdinal(y, x);
    }

    private static (int Stability, int Major, int Minor) Rank(string version)
    {
        if (version.Length < 2 || version[0] != 'v') return default;
        var digits = version[1..].TakeWhile(char.IsAsciiDigit).Count();
        if (!int.TryParse(version.AsSpan(1, digits), CultureInfo.InvariantCulture, out var major)) return default;
        var rest = version[(1 + digits)..];
        if (rest.Length == 0) return (3, major, 0);
        foreach (var (word, stability) in new[] { ("beta", 2), ("alpha", 1) })
        {
            if (rest.StartsWith(word, StringComparison.Ordinal)
                && int.TryParse(rest.AsSpan(word.Length), CultureInfo.InvariantCulture, out var minor))
                return (stability, major, minor);
        }
        return default;
    }
}
