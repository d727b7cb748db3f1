namespace Cloud.Chaos.Invariants;

/// <summary>No service's log tells of a mistake in the code, whatever was broken around it.</summary>
internal static class Logs
{
    /// <summary>What only mistakes write: errors, crashes, and failures that nobody foresaw.</summary>
    private static readonly string[] Signs =
        [" fail: Cloud.", " crit: ", "UNEXPECTED", "RULE_BROKEN", "Unhandled exception"];

    /// <summary>The stores, which are broken on purpose.</summary>
    private static readonly string[] NotOurs = ["postgres", "redis"];

    /// <summary>Enough of each kind to see what it is.</summary>
    private const int PerProgramMax = 3;
    private const int LineLengthMax = 600;

    /// <summary>Every log of a world: of the services, and of what runs in the simulated clusters.</summary>
    public static IEnumerable<string> Of(string statePath) =>
        new[] { "logs", Path.Combine("simulator", "programs") }
            .Select(folder => Path.Combine(statePath, folder)).Where(Directory.Exists)
            .SelectMany(folder => Directory.EnumerateFiles(folder, "*.log*", SearchOption.AllDirectories));

    public static IEnumerable<Breach> Quiet(string statePath) =>
        from path in Of(statePath)
        let name = Path.GetFileName(path)
        where !NotOurs.Any(program => name.StartsWith(program, StringComparison.Ordinal))
        from line in Lines(path).Where(line => Signs.Any(sign => line.Contains(sign, StringComparison.Ordinal)))
            .Take(PerProgramMax)
        select new Breach(
            "logs tell of no mistake", "", $"{name}: {(line.Length > LineLengthMax ? line[..LineLengthMax] : line)}");

    private static IEnumerable<string> Lines(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var reader = new StreamReader(file);
        while (reader.ReadLine() is { } line)
        {
            yield return line;
        }
    }
}
