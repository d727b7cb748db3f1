namespace Cloud.Benchmarks.Measuring;

/// <summary>A number, as it came out of each run, with the floor that was measured between the same runs.</summary>
/// <param name="Name">What was measured.</param>
/// <param name="Unit">Of values and floor.</param>
/// <param name="Runs">One per run.</param>
/// <param name="Floors">What a bare program needs for the unavoidable part, one per run; empty where there is no such
/// program.</param>
/// <param name="Goals">What the design asks for.</param>
internal sealed record Measurement(
    string Name,
    string Unit,
    IReadOnlyList<double> Runs,
    IReadOnlyList<double> Floors,
    params IReadOnlyList<Goal> Goals)
{
    public double Median => MedianOf(Runs);

    public double? Floor => Floors.Count == 0 ? null : MedianOf(Floors);

    /// <summary>Median to median.</summary>
    public double? Ratio => Median / Floor;

    public static double MedianOf(IReadOnlyList<double> values) => Percentile(values, 0.5);

    /// <summary>The smallest value that is not below this part of all.</summary>
    public static double Percentile(IReadOnlyList<double> values, double part)
    {
        var sorted = values.Order().ToList();
        return sorted[Math.Clamp((int)Math.Ceiling(sorted.Count * part) - 1, 0, sorted.Count - 1)];
    }
}
