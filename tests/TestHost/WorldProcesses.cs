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

    /// <summary>kill -9.</summary>
    public static void Kill(int id)
    {
        using var process = Process.GetProcessById(id);
        process.Kill();
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
