namespace Cloud.Processes;

/// <summary>Finds programs as a shell would.</summary>
public static class ProgramPath
{
    /// <summary>The full path of a program on PATH (or of a path given as such), or null.</summary>
    public static string? Find(string program)
    {
        if (program.Contains('/', StringComparison.Ordinal))
        {
            return File.Exists(program) ? Path.GetFullPath(program) : null;
        }

        var directories = Environment.GetEnvironmentVariable("PATH") ?? "";
        return directories.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(directory => Path.Combine(directory, program))
            .FirstOrDefault(File.Exists);
    }
}
