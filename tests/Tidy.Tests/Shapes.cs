using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Xunit;

namespace Cloud.Tidy.Tests;

/// <summary>Sizes that still fit a reader's head, and shapes that keep a change in one place.</summary>
public sealed class Shapes
{
    private const int LongestFile = 500;
    private const int LongestFunction = 70;
    private const int LongestLine = 120;

    [Fact]
    public void No_file_is_longer_than_500_lines() => Assert.Empty(Repository.Sources
        .Select(file => (file.Path, Lines: file.Text.Count(c => c == '\n')))
        .Where(file => file.Lines > LongestFile));

    [Fact]
    public void No_line_is_longer_than_120_characters() => Assert.Empty(Repository.Sources.SelectMany(file => file.Text
        .Split('\n')
        .Select((line, index) => (line, number: index + 1))
        .Where(entry => entry.line.Length > LongestLine && !entry.line.Contains("://", StringComparison.Ordinal))
        .Select(entry => $"{file.Path}:{entry.number} {entry.line.Length}")));

    [Fact]
    public void No_function_is_longer_than_70_lines() => Assert.Empty(Repository.Sources.SelectMany(file => file.Syntax
        .DescendantNodes().Where(node => node is BaseMethodDeclarationSyntax or LocalFunctionStatementSyntax)
        .Select(node => (node, lines: Lines(node)))
        .Where(entry => entry.lines > LongestFunction)
        .Select(entry => $"{file.At(entry.node)} {entry.lines} lines")));

    [Fact]
    public void Classes_are_sealed_unless_something_derives_from_them()
    {
        var derivedFrom = Repository.Sources
            .SelectMany(file => file.Syntax.DescendantNodes().OfType<BaseTypeSyntax>())
            .Select(node => node.Type is GenericNameSyntax generic ? generic.Identifier.Text : LastName(node.Type))
            .ToHashSet(StringComparer.Ordinal);
        var open = Repository.Product.SelectMany(file => file.Syntax.DescendantNodes().OfType<TypeDeclarationSyntax>()
            .Where(type => type is ClassDeclarationSyntax
                or RecordDeclarationSyntax { ClassOrStructKeyword.RawKind: not (int)SyntaxKind.StructKeyword })
            .Where(type => !type.Modifiers.Any(m => m.Kind() is SyntaxKind.SealedKeyword or SyntaxKind.StaticKeyword
                or SyntaxKind.AbstractKeyword))
            .Where(type => type.Identifier.Text != "Program" && !derivedFrom.Contains(type.Identifier.Text))
            .Select(type => $"{file.At(type)} {type.Identifier.Text}"));
        Assert.Empty(open);
    }

    [Fact]
    public void There_are_no_regions_no_marks_of_unfinished_work_and_no_swallowed_errors()
    {
        var marks = new[] { "TO" + "DO", "FIX" + "ME", "HA" + "CK:" };
        var wrong = Repository.Sources.SelectMany(file =>
            file.Syntax.DescendantTrivia().Where(t => t.IsKind(SyntaxKind.RegionDirectiveTrivia))
                .Select(_ => $"{file.Path} #region")
                .Concat(file.Syntax.DescendantTrivia()
                    .Where(t => marks.Any(mark => t.ToString().Contains(mark, StringComparison.Ordinal)))
                    .Select(t => $"{file.Path} {t.ToString().Trim()}"))
                .Concat(file.Syntax.DescendantNodes().OfType<ObjectCreationExpressionSyntax>()
                    .Where(node => LastName(node.Type) == "NotImplementedException")
                    .Select(node => $"{file.At(node)} not implemented"))
                .Concat(file.Syntax.DescendantNodes().OfType<CatchClauseSyntax>()
                    .Where(IsSilent)
                    .Select(node => $"{file.At(node)} swallows an error without saying why")));
        Assert.Empty(wrong);
    }

    /// <summary>An empty catch may stand only where it says, in a comment, why nothing needs doing.</summary>
    private static bool IsSilent(CatchClauseSyntax node) => node.Block.Statements.Count == 0
        && !node.Block.DescendantTrivia().Any(t => t.IsKind(SyntaxKind.SingleLineCommentTrivia));

    private static string LastName(TypeSyntax type) => type switch
    {
        QualifiedNameSyntax qualified => qualified.Right.Identifier.Text,
        SimpleNameSyntax simple => simple.Identifier.Text,
        _ => type.ToString(),
    };

    private static int Lines(SyntaxNode node)
    {
        var span = node.GetLocation().GetLineSpan();
        return span.EndLinePosition.Line - span.StartLinePosition.Line + 1;
    }
}
