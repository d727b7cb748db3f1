namespace Cloud.Operator.Tests.Manifests;

/// <summary>
/// Compares everything made for each case with the files beside it. To accept a change: run with CLOUD_UPDATE_GOLDEN=1
/// and read the difference before it is committed.
/// </summary>
public sealed class GoldenTests
{
    public static TheoryData<string> Cases => [.. GoldenCase.Names];

    [Theory]
    [MemberData(nameof(Cases))]
    public void What_is_made_is_what_was_agreed(string name)
    {
        var golden = GoldenCase.Read(name);
        var expected = Path.Combine(golden.Directory, "expected");
        var made = golden.Build();
        if (Environment.GetEnvironmentVariable("CLOUD_UPDATE_GOLDEN") == "1")
        {
            Write(expected, made);
        }

        Assert.Equal(
            Directory.GetFiles(expected).Select(f => Path.GetFileName(f)).Order(), made.Keys.Order());
        Assert.All(made, m => Assert.Equal(File.ReadAllText(Path.Combine(expected, m.Key)), m.Value));
    }

    private static void Write(string directory, IReadOnlyDictionary<string, string> made)
    {
        if (Directory.Exists(directory))
        {
            Directory.Delete(directory, recursive: true);
        }

        Directory.CreateDirectory(directory);
        foreach (var (file, text) in made)
        {
            File.WriteAllText(Path.Combine(directory, file), text);
        }
    }
}
