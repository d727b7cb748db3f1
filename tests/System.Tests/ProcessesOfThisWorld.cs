using System.Diagnostics;
using System.Globalization;

namespace Cloud.System.Tests;

/// <summary>Finds the programs of one world among all processes: its state directory is in their environment.</summary>
internal static class ProcessesOfThisWorld
{
    public static IReadOnlyList<int> Find(string statePath, string program = "") =>
        [.. Directory.EnumerateDirectories("/proc")
            .Select(folder => (folder, isProcess: int.TryParse(
                Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var id), id))
            .Where(entry => entry.isProcess
                && Read(entry.folder, "environ").Contains(statePath, StringComparison.Ordinal)
                && Read(entry.folder, "cmdline").Contains(program, StringComparison.Ordinal))
            .Select(entry => entry.id)];

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
