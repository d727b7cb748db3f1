using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Cloud.Benchmarks;

/// <summary>A line for people and the same as JSON for programs.</summary>
internal static class Report
{
    public static void Machine() => Console.WriteLine(
        $"{Environment.ProcessorCount} cores, {RuntimeInformation.OSDescription}, "
        + $"{RuntimeInformation.FrameworkDescription}");

    /// <param name="name">What was measured.</param>
    /// <param name="unit">Of the values.</param>
    /// <param name="values">One per run.</param>
    /// <param name="goal">What the design asks for, in the same unit.</param>
    public static void Values(string name, string unit, IReadOnlyList<double> values, double? goal)
    {
        var sorted = values.Order().ToList();
        var (least, median, most) = (sorted[0], sorted[sorted.Count / 2], sorted[^1]);
        var wanted = goal is { } g ? string.Create(CultureInfo.InvariantCulture, $"goal <= {g:0.##}") : string.Empty;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{name,-48} median {median,8:0.00} {unit,-8} min {least,8:0.00}  max {most,8:0.00}  "
            + $"n={sorted.Count,-4} {wanted}"));
        Console.WriteLine(JsonSerializer.Serialize(
            new { name, unit, median, min = least, max = most, n = sorted.Count, goal }));
    }
}
