using System.Globalization;
using System.Runtime.InteropServices;

namespace Cloud.Benchmarks.Measuring;

/// <summary>What it was measured on.</summary>
internal static class Machine
{
    /// <summary>As it is when asked: ask before measuring, which is a load too.</summary>
    public static string Describe()
    {
        var memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 1e9;
        var load = File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Split(' ')[0] : "unknown";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{Environment.ProcessorCount} cores ({Processor()}), {memory:0} GB, "
            + $"{RuntimeInformation.OSDescription.Trim()}, {RuntimeInformation.FrameworkDescription}, "
            + $"load {load} before the run");
    }

    private static string Processor()
    {
        const string Key = "model name";
        var line = File.Exists("/proc/cpuinfo")
            ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith(Key, StringComparison.Ordinal))
            : null;
        return line?[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim()
            ?? RuntimeInformation.ProcessArchitecture.ToString();
    }
}
