using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Xunit;

namespace Cloud.Tidy.Tests;

/// <summary>Names say what a thing does; the banned ones say nothing.</summary>
public sealed partial class Names
{
    private static readonly string[] DomainNouns = ["installation", "mattermost", "workspace", "namespace_"];

    [Fact]
    public void No_type_or_file_has_a_name_that_says_nothing()
    {
        var wrong = Repository.Sources
            .SelectMany(file => file.Syntax.DescendantNodes().OfType<BaseTypeDeclarationSyntax>()
                .Where(type => Banned().IsMatch(type.Identifier.Text))
                .Select(type => $"{file.At(type)} {type.Identifier.Text}")
                .Concat(Banned().IsMatch(file.Name) ? [file.Path] : []));
        Assert.Empty(wrong);
    }

    [Fact]
    public void The_machinery_knows_no_noun_of_the_domain()
    {
        var wrong = Repository.Product
            .Where(file => file.Path.StartsWith("ServiceDefaults/", StringComparison.Ordinal))
            // Fills the contract of the event feed, which has a field of that name.
            .Where(file => file.Path != "ServiceDefaults/Storage/EventMessages.cs")
            .SelectMany(file => file.Syntax.DescendantTokens()
                .Where(token => token.Parent is not null && DomainNouns.Any(
                    noun => token.ValueText.Contains(noun, StringComparison.OrdinalIgnoreCase)))
                .Select(token => $"{file.At(token.Parent!)} {token.ValueText}"))
            .Where(text => !text.Contains("cloud.mattermost.com", StringComparison.Ordinal));
        Assert.Empty(wrong);
    }

    [GeneratedRegex(
        "(?:Common|Core|Utils?|Utilities|Helpers?|Manager|Base|Impl|Data|Info)$", RegexOptions.CultureInvariant)]
    private static partial Regex Banned();
}
