using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Cloud.Protos.Api.V1;
using Cloud.Protos.Supervision.V1;
using Google.Protobuf.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Xunit;

namespace Cloud.Tidy.Tests;

/// <summary>The contract lists every error code, the product uses all of them and no others, and the page says what the
/// contract lists. <c>CLOUD_UPDATE_GOLDEN=1</c> writes the page anew.</summary>
public sealed partial class Errors
{
    private const string Contract = "protos/cloud/api/v1/error_reason.proto";
    private const string Page = "docs/errors.md";
    private const int LongestCode = 63;

    /// <summary>Names of environment variables look like codes.</summary>
    private static readonly string[] Variables = ["DB_", "DOTNET_", "MAX_RECONCIL", "MM_", "OTEL_"];

    private static readonly Dictionary<string, Verdict.Types.Status> Statuses = new()
    {
        ["Problem.Aborted"] = Verdict.Types.Status.Aborted,
        ["Problem.AlreadyExists"] = Verdict.Types.Status.AlreadyExists,
        ["Problem.Exhausted"] = Verdict.Types.Status.ResourceExhausted,
        ["Problem.FailedPrecondition"] = Verdict.Types.Status.FailedPrecondition,
        ["Problem.Unavailable"] = Verdict.Types.Status.Unavailable,
    };

    private static IEnumerable<EnumValueDescriptor> Codes =>
        ErrorReasonReflection.Descriptor.EnumTypes.Single().Values.Where(value => value.Number != 0);

    /// <summary>What runs as a service and speaks to its callers.</summary>
    private static IEnumerable<SourceFile> Speaking => Repository.Product.Where(file =>
        (file.Path.StartsWith("ServiceDefaults/", StringComparison.Ordinal)
            || file.Path.StartsWith("services/", StringComparison.Ordinal))
        && !file.Path.StartsWith("services/Operator/", StringComparison.Ordinal)
        && !file.Path.StartsWith("services/Simulator/", StringComparison.Ordinal));

    [Fact]
    public void Codes_begin_with_their_noun_and_fit_into_an_error_info() => Assert.Empty(Codes
        .Select(code => code.Name)
        .Where(name => name.Length > LongestCode || !Code().IsMatch(name) || VerdictFirst().IsMatch(name)));

    [Fact]
    public void Codes_that_are_more_than_a_wrong_field_say_where_whose_fault_and_what_to_do() => Assert.Empty(Codes
        .Where(code => VerdictOf(code) is { } verdict
            && (verdict.Fault == Fault.Unspecified || verdict.Remedy.Length == 0
                || (verdict.Status == Verdict.Types.Status.Unspecified && verdict.Records.Count == 0)))
        .Select(code => code.Name));

    [Fact]
    public void Every_code_of_the_list_is_used()
    {
        var used = Speaking.SelectMany(file => Mentioned(file.Syntax)).ToHashSet();
        Assert.Empty(Codes.Where(code => !used.Contains((ErrorReason)code.Number)).Select(code => code.Name));
    }

    [Fact]
    public void No_code_is_written_out_in_a_service() => Assert.Empty(Literals(Speaking));

    [Fact]
    public void The_command_line_knows_only_codes_of_the_list()
    {
        var known = Codes.Select(code => $"\"{code.Name}\"").ToList();
        Assert.Empty(
            Literals(Repository.Product.Where(file => file.Path.StartsWith("Cli/", StringComparison.Ordinal)))
                .Where(literal => !literal.Contains("\"CLOUD_", StringComparison.Ordinal)
                    && !known.Exists(code => literal.EndsWith(code, StringComparison.Ordinal))));
    }

    [Fact]
    public void The_list_says_how_calls_end_and_what_is_recorded()
    {
        var refusals = Speaking.SelectMany(file => file.Syntax.DescendantNodes().OfType<InvocationExpressionSyntax>()
            .Where(call => Statuses.ContainsKey(call.Expression.ToString()))
            .SelectMany(call => Given(call.ArgumentList)
                .Where(reason => VerdictOf(reason)?.Status != Statuses[call.Expression.ToString()])
                .Select(reason => $"{file.At(call)} {reason}")));
        var failures = Speaking.SelectMany(file => file.Syntax.DescendantNodes()
            .OfType<ObjectCreationExpressionSyntax>()
            .Where(creation => creation.Type.ToString() == "StepException")
            .SelectMany(creation => Given(creation.ArgumentList!)
                .Where(reason => VerdictOf(reason)?.Records.Contains(Verdict.Types.Record.LastError) is not true)
                .Select(reason => $"{file.At(creation)} {reason}")));
        Assert.Empty(refusals.Concat(failures));
    }

    [Fact]
    public void The_page_is_what_the_contract_lists()
    {
        var page = Drawn();
        var path = Path.Combine(Repository.Root, Page);
        if (Environment.GetEnvironmentVariable("CLOUD_UPDATE_GOLDEN") == "1")
        {
            File.WriteAllText(path, page);
        }
        else
        {
            Assert.Equal(page, File.Exists(path) ? File.ReadAllText(path) : "");
        }
    }

    private static string Drawn()
    {
        var meanings = Comment().Matches(Repository.Read(Contract)).ToDictionary(
            match => match.Groups["code"].Value,
            match => string.Join(' ', match.Groups["line"].Captures.Select(line => line.Value)));
        var page = new StringBuilder(
            $"""
            # Error codes

            Every code that an answer, a resource or an attempt can carry. A test makes this page from
            `{Contract}`, where a new code is added; `CLOUD_UPDATE_GOLDEN=1` lets it write the page.

            **Where** it is found. A status: the `reason` of the `ErrorInfo` of a call that ends so. `field`: a field of
            the `BadRequest` of an INVALID_ARGUMENT; of a single one it is also the reason of the call. `last_error`:
            the progress of a resource, and its events' `error_code`. `attempt`: the attempts of a webhook's delivery.
            `place`: the metadata of CLUSTERS_FULL, per cluster. What another service refused, a step records under that
            service's code, with a fault and a `retryable` of its own.

            **Who** can end it: the *caller*, whose request or resource must change; an *operator* of this cloud; the
            *world* outside, by itself. **Again**: whether trying the same again can help although nobody has changed
            anything. A step that can be tried again is, by itself.

            | code | where | who | again | what it means | what to do |
            |---|---|---|---|---|---|

            """);
        foreach (var code in Codes.OrderBy(code => code.Name, StringComparer.Ordinal))
        {
            var verdict = VerdictOf(code) ?? new Verdict { Fault = Fault.Caller, Remedy = "Correct the field." };
            page.Append(
                $"| `{code.Name}` | {Where(verdict)} | {Word(verdict.Fault)} | {(verdict.Retryable ? "yes" : "no")} ");
            page.Append($"| {meanings[code.Name]} | {verdict.Remedy} |\n");
        }

        return page.ToString();
    }

    private static string Where(Verdict verdict)
    {
        var places = verdict.Records.Select(NameOf<Verdict.Types.Record>)
            .Select(name => $"`{name.ToLowerInvariant()}`");
        if (verdict.Status != Verdict.Types.Status.Unspecified)
        {
            places = places.Prepend(NameOf(verdict.Status));
        }

        return string.Join(", ", places.DefaultIfEmpty("`field`"));
    }

    private static string Word(Fault fault) => fault.ToString().ToLowerInvariant();

    /// <summary>As the contract writes it, without the prefix.</summary>
    private static string NameOf<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.SnakeCaseUpper.ConvertName(value.ToString());

    private static Verdict? VerdictOf(EnumValueDescriptor code) =>
        code.GetOptions()?.GetExtension(AnnotationsExtensions.Verdict);

    private static Verdict? VerdictOf(ErrorReason reason) =>
        VerdictOf(Codes.Single(code => code.Number == (int)reason));

    private static IEnumerable<ErrorReason> Given(ArgumentListSyntax arguments) => arguments.Arguments
        .Where(argument => argument.Expression is MemberAccessExpressionSyntax)
        .SelectMany(argument => Mentioned(argument.Expression));

    private static IEnumerable<ErrorReason> Mentioned(SyntaxNode node) => node
        .DescendantNodesAndSelf().OfType<MemberAccessExpressionSyntax>()
        .Where(access => access.Expression.ToString() == nameof(ErrorReason))
        .Select(access => Enum.Parse<ErrorReason>(access.Name.Identifier.Text));

    private static IEnumerable<string> Literals(IEnumerable<SourceFile> files) => files
        .SelectMany(file => file.Syntax.DescendantTokens()
            .Where(token => token.IsKind(SyntaxKind.StringLiteralToken) && Code().IsMatch(token.ValueText))
            .Where(token => token.ValueText.Contains('_', StringComparison.Ordinal))
            .Where(token => !Variables.Any(
                variable => token.ValueText.StartsWith(variable, StringComparison.Ordinal)))
            .Select(token => $"{file.At(token.Parent!)} {token.Text}"));

    [GeneratedRegex(@"^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*\z", RegexOptions.CultureInvariant)]
    private static partial Regex Code();

    [GeneratedRegex("^(?:BAD|INVALID|MISSING|NO|NOT|TOO|UNKNOWN|WRONG)_", RegexOptions.CultureInvariant)]
    private static partial Regex VerdictFirst();

    [GeneratedRegex(@"(?:^  // (?<line>.*)\n)+  (?<code>[A-Z][A-Z0-9_]*) = ",
        RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex Comment();
}
