using System.Text.RegularExpressions;
using System.Xml.Linq;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Xunit;

namespace Cloud.Tidy.Tests;

/// <summary>Who may know whom, and who may do what.</summary>
public sealed partial class Boundaries
{
    [Fact]
    public void Services_never_reference_each_other()
    {
        var wrong = Repository.Files("*.csproj")
            .Where(path => path.StartsWith("services/", StringComparison.Ordinal))
            .SelectMany(path => References(path)
                .Where(reference => reference.Contains("services/", StringComparison.Ordinal)
                    || (reference.StartsWith("../", StringComparison.Ordinal)
                        && !reference.StartsWith("../../", StringComparison.Ordinal)))
                .Select(reference => $"{path} -> {reference}"));
        Assert.Empty(wrong);
    }

    [Fact]
    public void Only_stores_providers_and_the_machinery_hold_sql()
    {
        var wrong = Repository.Product
            .Where(file => file.Path.StartsWith("services/", StringComparison.Ordinal))
            .Where(file => !file.Path.StartsWith("services/Simulator/", StringComparison.Ordinal))
            .Where(file => !file.Name.EndsWith("Store", StringComparison.Ordinal)
                && !file.Path.Contains("/Providers/", StringComparison.Ordinal))
            .SelectMany(file => file.Syntax.DescendantTokens()
                .Where(token => token.Kind() is SyntaxKind.StringLiteralToken
                    or SyntaxKind.MultiLineRawStringLiteralToken or SyntaxKind.SingleLineRawStringLiteralToken
                    or SyntaxKind.InterpolatedStringTextToken)
                .Where(token => Sql().IsMatch(token.ValueText))
                .Select(token => file.At(token.Parent!)));
        Assert.Empty(wrong);
    }

    [Fact]
    public void Only_the_grpc_face_and_the_machinery_make_statuses()
    {
        var wrong = Repository.Product
            .Where(file => file.Path.StartsWith("services/", StringComparison.Ordinal)
                && !file.Name.EndsWith("Service", StringComparison.Ordinal))
            .SelectMany(file => file.Syntax.DescendantNodes().OfType<ObjectCreationExpressionSyntax>()
                .Where(node => node.Type.ToString() == "RpcException")
                .Select(node => file.At(node)));
        Assert.Empty(wrong);
    }

    [Fact]
    public void Every_project_is_in_the_solution()
    {
        var solution = Repository.Read("Cloud.sln").Replace('\\', '/');
        Assert.Empty(Repository.Files("*.csproj").Where(path => !solution.Contains(path, StringComparison.Ordinal)));
    }

    [Fact]
    public void The_readme_maps_every_folder_and_names_both_commands()
    {
        var readme = Repository.Read("README.md");
        var folders = Repository.Files("*.csproj").Select(path => path[..path.LastIndexOf('/')])
            .Select(folder => folder[(folder.LastIndexOf('/') + 1)..])
            .Where(folder => !folder.EndsWith(".Tests", StringComparison.Ordinal));
        Assert.Empty(folders.Where(folder => !readme.Contains(folder, StringComparison.Ordinal)));
        Assert.Contains("./cloud up", readme, StringComparison.Ordinal);
        Assert.Contains("./cloud test", readme, StringComparison.Ordinal);
    }

    [Fact]
    public void Decisions_are_numbered_without_gaps_and_stay_short()
    {
        const int longestDecision = 60;
        var decisions = Repository.Files("*.md")
            .Where(path => path.StartsWith("docs/decisions/", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(decisions);
        Assert.Equal(
            Enumerable.Range(1, decisions.Count).Select(number => number.ToString("0000", null)),
            decisions.Select(path => Path.GetFileName(path)[..4]));
        Assert.Empty(decisions.Where(path => Repository.Read(path).Count(c => c == '\n') > longestDecision));
    }

    private static IEnumerable<string> References(string path) => XDocument.Parse(Repository.Read(path))
        .Descendants("ProjectReference").Select(node => node.Attribute("Include")!.Value.Replace('\\', '/'));

    [GeneratedRegex(@"\b(?:SELECT\s.+\sFROM|INSERT\s+INTO|DELETE\s+FROM|UPDATE\s+\w+\s+SET)\b",
        RegexOptions.IgnoreCase | RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex Sql();
}
