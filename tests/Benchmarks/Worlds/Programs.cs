using Cloud.Processes;

namespace Cloud.Benchmarks.Worlds;

/// <summary>The programs that were built with this one, in the same configuration.</summary>
internal static class Programs
{
    /// <summary>Starts one; what it says goes to <c>&lt;name&gt;.log</c> in the directory.</summary>
    /// <param name="project">Its project.</param>
    /// <param name="directory">For its log.</param>
    /// <param name="settings">Its configuration, as environment variables.</param>
    /// <param name="name">What the log is called, when it is not the project's name.</param>
    public static GuardedProcess Start(
        string project, string directory, IReadOnlyDictionary<string, string?> settings, string? name = null)
    {
        var log = new FileStream(
            Path.Combine(directory, $"{name ?? project}.log"), FileMode.Create, FileAccess.Write, FileShare.ReadWrite);
        var start = new ProgramStart("dotnet", "exec", PathOf(project))
        {
            // Where its appsettings.json is.
            WorkingDirectory = Path.GetDirectoryName(PathOf(project)),
            Environment = settings,
            StopWithin = TimeSpan.FromSeconds(30),
        };
        return GuardedProcess.Start(start, log);
    }

    public static string PathOf(string project)
    {
        var ours = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        return Path.Combine(ours.Parent!.Parent!.FullName, project, ours.Name, $"Cloud.{project}.dll");
    }
}
