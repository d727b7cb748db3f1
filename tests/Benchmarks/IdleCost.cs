using System.Globalization;

namespace Cloud.Benchmarks;

/// <summary>What the services cost while nobody asks for anything, by the kernel's accounting of their
/// processes.</summary>
internal static class IdleCost
{
    private const double TicksPerSecond = 100; // USER_HZ, which Linux fixes for /proc.
    private const double GoalPercent = 5;
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(10);

    private static readonly string[] Services =
        ["Cloud.Installation", "Cloud.Cluster", "Cloud.DatabasePool", "Cloud.Metrics"];

    private static readonly string[] Others = ["Cloud.Operator", "Cloud.Simulator", "Cloud.LocalRedis", "AppHost"];

    public static async Task MeasureAsync(TimeSpan time, CancellationToken ct)
    {
        await Task.Delay(Settling, TimeProvider.System, ct);
        var before = Processes();
        await Task.Delay(time, TimeProvider.System, ct);
        var after = Processes();
        Print("idle, all services together", Services, before, after, time, GoalPercent);
        foreach (var name in Services.Concat(Others))
        {
            Print($"  idle, {name}", [name], before, after, time, goal: null);
        }
    }

    private static void Print(
        string title, string[] names, List<Sample> before, List<Sample> after, TimeSpan time, double? goal)
    {
        var pairs = after
            .Where(sample => names.Any(name => sample.Command.Contains(name + ".dll", StringComparison.Ordinal)))
            .Select(sample => (sample, earlier: before.Find(other => other.Id == sample.Id)))
            .Where(pair => pair.earlier is not null).ToList();
        if (pairs.Count == 0)
        {
            Console.WriteLine($"{title}: no such process");
            return;
        }

        var used = pairs.Sum(pair => pair.sample.Ticks - pair.earlier!.Ticks) / TicksPerSecond;
        Report.Values(title, "% core", [100 * used / time.TotalSeconds], goal);
        Report.Values(title + ", resident", "MB", [.. pairs.Select(pair => pair.sample.Megabytes)], goal: null);
    }

    private static List<Sample> Processes() =>
        [.. Directory.EnumerateDirectories("/proc").Select(Read).OfType<Sample>()];

    private static Sample? Read(string folder)
    {
        if (!int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var id))
        {
            return null;
        }

        try
        {
            var command = File.ReadAllText(Path.Combine(folder, "cmdline")).Replace('\0', ' ');
            if (!command.Contains("artifacts/bin", StringComparison.Ordinal)
                && !command.Contains("artifacts/genuine/bin", StringComparison.Ordinal))
            {
                return null;
            }

            var stat = File.ReadAllText(Path.Combine(folder, "stat"));
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            var ticks = fields[11..13].Sum(field => long.Parse(field, CultureInfo.InvariantCulture));
            var pages = long.Parse(fields[21], CultureInfo.InvariantCulture);
            return new Sample(id, command, ticks, pages * Environment.SystemPageSize / 1e6);
        }
        catch (IOException)
        {
            return null; // It ended between the listing and the reading.
        }
    }

    private sealed record Sample(int Id, string Command, long Ticks, double Megabytes);
}
