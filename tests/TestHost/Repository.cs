namespace Cloud.TestHost;

/// <summary>Where the sources are.</summary>
public static class Repository
{
    /// <summary>The directory that holds Cloud.sln.</summary>
    public static string Root { get; } = FindRoot();

    private static string FindRoot()
    {
        var start = new DirectoryInfo(AppContext.BaseDirectory);
        for (var directory = start; directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "Cloud.sln")))
            {
                return directory.FullName;
            }
        }

        throw new InvalidOperationException($"No Cloud.sln above {AppContext.BaseDirectory}.");
    }
}
