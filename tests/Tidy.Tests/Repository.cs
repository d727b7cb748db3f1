using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Cloud.Tidy.Tests;

/// <summary>The repository's own files, as its written rules see them: no build output, no local state.</summary>
internal static class Repository
{
    private static readonly string[] NotOurs = ["artifacts", ".cloud", ".git", "node_modules", "obj", "bin"];

    public static string Root { get; } = typeof(Repository).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "RepositoryRoot").Value!;

    // After Root: initialisers run in the order they stand.
    private static readonly Lazy<IReadOnlyList<SourceFile>> Parsed = new(() =>
        [.. Files("*.cs").Select(path => new SourceFile(path, File.ReadAllText(Path.Combine(Root, path))))]);

    /// <summary>Every C# file.</summary>
    public static IReadOnlyList<SourceFile> Sources => Parsed.Value;

    /// <summary>C# of what ships: neither tests nor generated.</summary>
    public static IEnumerable<SourceFile> Product =>
        Sources.Where(file => !file.Path.StartsWith("tests/", StringComparison.Ordinal));

    /// <summary>Relative paths with forward slashes.</summary>
    public static IEnumerable<string> Files(string pattern) => Walk(new DirectoryInfo(Root), pattern)
        .Select(file => Path.GetRelativePath(Root, file.FullName).Replace('\\', '/'))
        .Order(StringComparer.Ordinal);

    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    private static IEnumerable<FileInfo> Walk(DirectoryInfo folder, string pattern) =>
        folder.EnumerateFiles(pattern).Concat(folder.EnumerateDirectories()
            .Where(child => !NotOurs.Contains(child.Name))
            .SelectMany(child => Walk(child, pattern)));
}

/// <summary>One C# file and its syntax.</summary>
internal sealed record SourceFile(string Path, string Text)
{
    private readonly Lazy<SyntaxNode> _syntax = new(() => CSharpSyntaxTree.ParseText(Text).GetRoot());

    public SyntaxNode Syntax => _syntax.Value;

    public string Name => System.IO.Path.GetFileNameWithoutExtension(Path);

    public string At(SyntaxNode node) => $"{Path}:{node.GetLocation().GetLineSpan().StartLinePosition.Line + 1}";

    public override string ToString() => Path;
}
