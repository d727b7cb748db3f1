namespace Cloud.Cli;

/// <summary>Files that a person names.</summary>
internal static class GivenFile
{
    /// <summary>All of its text.</summary>
    public static async Task<string> ReadAsync(FileInfo file, CancellationToken ct)
    {
        try
        {
            return await File.ReadAllTextAsync(file.FullName, ct);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new Refusal(ExitCode.Usage, $"There is no file {file.FullName}.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Directory.Exists(file.FullName)
                ? new Refusal(ExitCode.Usage, $"{file.FullName} is a directory, not a file.")
                : new Refusal(ExitCode.Usage, $"{file.FullName} cannot be read: {e.Message}");
        }
    }
}
