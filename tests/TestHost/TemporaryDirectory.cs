namespace Cloud.TestHost;

/// <summary>A directory that is gone, with all in it, when disposed. Others may pass through it: a PostgreSQL server
/// never runs as root, and would else keep its files elsewhere, where they stay.</summary>
public sealed class TemporaryDirectory : IDisposable
{
    private const UnixFileMode Passable =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    public TemporaryDirectory()
    {
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(Path, Passable);
        }
    }

    public string Path { get; } = Directory.CreateTempSubdirectory("cloud-tests-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
