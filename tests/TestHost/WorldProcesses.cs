using System.Diagnostics;
using System.Globalization;

namespace Cloud.TestHost;

/// <summary>Finds the programs of one world among all processes: its state directory is in their environment.</summary>
public static class WorldProcesses
{
    /// <summary>The ids of the processes of a world whose command line contains a text.</summary>
    public static IReadOnlyList<int> Find(string statePath, string program = "") =>
        [.. Directory.EnumerateDirectories("/proc")
            .Select(folder => (folder, isProcess: int.TryParse(
                Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var id), id))
            .Where(entry => entry.isProcess
                && Read(entry.folder, "environ").Contains(statePath, StringComparison.Ordinal)
                && Read(entry.folder, "cmdline").Replace('\0', ' ').Contains(program, StringComparison.Ordinal))
            .Select(entry => entry.id)
            .Order()];

    /// <summary>As <see cref="Find"/>, without those that one of them has just forked: until they have a command line
    /// of their own they bear their parent's, as PostgreSQL's backends do.</summary>
    public static IReadOnlyList<int> FindParents(string statePath, string program)
    {
        var found = Find(statePath, program);
        return [.. found.Where(id => !found.Contains(ParentOf(id)))];
    }

    /// <summary>kill -9.</summary>
    public static void Kill(int id)
    {
        using var process = Process.GetProcessById(id);
        process.Kill();
    }

    /// <summary>The second field after the name in parentheses; 0 when it has ended.</summary>
    private static int ParentOf(int id)
    {
        var stat = Read($"/proc/{id}", "stat");
        var fields = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields.Length > 1 ? int.Parse(fields[1], CultureInfo.InvariantCulture) : 0;
    }

    private static string Read(string folder, string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(folder, file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return string.Empty; // It ended between the listing and the reading.
        }
    }
}
