using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.ResourceTypes;

namespace Cloud.Simulator.ApiServers.Validation;

/// <summary>How names, labels and annotations must look.</summary>
public static class Names
{
    private const int LabelLength = 63;
    private const int SubdomainLength = 253;

    private const string LabelMessage =
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and " +
        "end " +
        "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is " +
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

    private const string SubdomainMessage =
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must " +
        "start " +
        "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is " +
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

    private const string LetterLabelMessage =
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic " +
        "character, " +
        "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is " +
        "'[a-z]([-a-z0-9]*[a-z0-9])?')";

    private const string QualifiedMessage =
        "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an " +
        "alphanumeric " +
        "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is " +
        "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

    private const string LabelValueMessage =
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must " +
        "start and " +
        "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation " +
        "is " +
        "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

    /// <summary>What is wrong with a name of a kind.</summary>
    public static IEnumerable<FieldError> Check(string field, string name, NameRule rule)
    {
        var (limit, fits, message) = rule switch
        {
            NameRule.Label => (LabelLength, IsLabel(name), LabelMessage),
            NameRule.LetterLabel => (LabelLength, IsLabel(name) && char.IsAsciiLetter(name[0]), LetterLabelMessage),
            NameRule.Subdomain => (SubdomainLength, IsSubdomain(name), SubdomainMessage),
            NameRule.PathSegment => (int.MaxValue, name is not ("." or "..") && name.IndexOfAny(['/', '%']) < 0,
                "may not be '.' or '..', nor contain '/' or '%'"),
        };
        if (name.Length > limit)
            yield return FieldError.Invalid(field, name, $"must be no more than {limit} characters");
        if (!fits) yield return FieldError.Invalid(field, name, message);
    }

    /// <summary>What is wrong with labels.</summary>
    public static IEnumerable<FieldError> CheckLabels(string field, JsonObject? labels)
    {
        foreach (var (key, value) in labels ?? [])
        {
            foreach (var error in CheckKey(field, key)) yield return error;
            var text = value?.GetValue<string>() ?? "";
            if (text.Length > LabelLength)
                yield return FieldError.Invalid(field, text, $"must be no more than {LabelLength} characters");
            if (text.Length > 0 && !IsQualifiedPart(text))
                yield return FieldError.Invalid(field, text, LabelValueMessage);
        }
    }

    /// <summary>What is wrong with annotations: only their keys are restricted.</summary>
    public static IEnumerable<FieldError> CheckAnnotations(string field, JsonObject? annotations)
    {
        const int totalBytes = 256 * 1024;
        foreach (var (key, _) in annotations ?? [])
        {
            foreach (var error in CheckKey(field, key.ToLowerInvariant(), key)) yield return error;
        }
        var size = annotations?.Sum(a => a.Key.Length + (a.Value?.GetValue<string>().Length ?? 0)) ?? 0;
        if (size > totalBytes) yield return FieldError.TooLong(field, totalBytes);
    }

    public static bool IsLabel(string name)
    {
        if (name.Length == 0 || !IsEnd(name[0]) || !IsEnd(name[^1])) return false;
        foreach (var c in name)
        {
            if (!IsEnd(c) && c != '-') return false;
        }
        return true;

        static bool IsEnd(char c) => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c);
    }

    public static bool IsSubdomain(string name) => name.Split('.').All(IsLabel);

    private static IEnumerable<FieldError> CheckKey(string field, string key, string? shown = null)
    {
        var slash = key.IndexOf('/', StringComparison.Ordinal);
        var name = key[(slash + 1)..];
        if (slash >= 0 && !IsSubdomain(key[..slash]))
            yield return FieldError.Invalid(field, shown ?? key, "prefix part " + SubdomainMessage);
        if (name.Length == 0) yield return FieldError.Invalid(field, shown ?? key, "name part must be non-empty");
        else if (name.Length > LabelLength)
        {
            yield return FieldError.Invalid(
                field, shown ?? key, $"name part must be no more than {LabelLength} characters");
        }
        if (name.Length == 0 || !IsQualifiedPart(name))
            yield return FieldError.Invalid(field, shown ?? key, QualifiedMessage);
    }

    private static bool IsQualifiedPart(string text)
    {
        if (!char.IsAsciiLetterOrDigit(text[0]) || !char.IsAsciiLetterOrDigit(text[^1])) return false;
        foreach (var c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.')) return false;
        }
        return true;
    }
}
