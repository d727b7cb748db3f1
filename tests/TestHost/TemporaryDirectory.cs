namespace Cloud.TestHost;

/// <summary>A directory that is gone, with all in it, when disposed.</summary>
public sealed class TemporaryDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("cloud-tests-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
