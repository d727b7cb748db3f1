using System.Globalization;

namespace Cloud.Benchmarks.Measuring;

/// <summary>What a process and everything it started have used so far, by the kernel's accounting in
/// <c>/proc</c>.</summary>
/// <param name="Cpu">Time on processors, of children that have ended too.</param>
/// <param name="ResidentMegabytes">Memory that is resident now; pages that processes share count in each.</param>
internal readonly record struct ProcessTree(TimeSpan Cpu, double ResidentMegabytes)
{
    private const double TicksPerSecond = 100; // USER_HZ, which Linux fixes for /proc.

    public static ProcessTree Of(int root)
    {
        var all = Directory.EnumerateDirectories("/proc").Select(Read).OfType<Sample>().ToList();
        var wanted = new HashSet<int> { root };
        while (all.Any(s => wanted.Contains(s.Parent) && wanted.Add(s.Id)))
        {
            // Until nobody's child is missing.
        }

        var ours = all.Where(s => wanted.Contains(s.Id)).ToList();
        return new ProcessTree(
            TimeSpan.FromSeconds(ours.Sum(s => s.Ticks) / TicksPerSecond), ours.Sum(s => s.Megabytes));
    }

    /// <summary>The process without what it started.</summary>
    public static ProcessTree OfOne(int id) => Read($"/proc/{id}") is { } one
        ? new ProcessTree(TimeSpan.FromSeconds(one.Ticks / TicksPerSecond), one.Megabytes)
        : default;

    private static Sample? Read(string folder)
    {
        if (!int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var id))
        {
            return null;
        }

        try
        {
            // The fields behind the name: state, parent, ..., utime, stime, cutime, cstime (12th to 15th), ..., rss.
            var stat = File.ReadAllText(Path.Combine(folder, "stat"));
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return new Sample(
                id,
                int.Parse(fields[1], CultureInfo.InvariantCulture),
                fields[11..15].Sum(field => long.Parse(field, CultureInfo.InvariantCulture)),
                long.Parse(fields[21], CultureInfo.InvariantCulture) * Environment.SystemPageSize / 1e6);
        }
        catch (IOException)
        {
            return null; // It ended between the listing and the reading.
        }
    }

    private sealed record Sample(int Id, int Parent, long Ticks, double Megabytes);
}
