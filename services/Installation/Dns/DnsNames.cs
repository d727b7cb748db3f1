namespace Cloud.Dns;

/// <summary>What a host name of an installation must look like. Whether it is free is the store's to say: only a unique
/// index can.</summary>
public sealed class DnsNames(DnsOptions options)
{
    /// <summary>Names of one installation, at most; each is a rule of its ingress and a record in its zone.</summary>
    public const int MaxNames = 20;

    /// <summary>Characters of a whole name, at most (RFC 1035 in its textual form).</summary>
    public const int MaxNameLength = 253;

    /// <summary>Characters of a label, at most (RFC 1123).</summary>
    public const int MaxLabelLength = 63;

    /// <summary>Characters of the label that names a workspace, at least: single letters are kept back.</summary>
    public const int MinFirstLabelLength = 2;

    /// <summary>The lower-case form in which names are kept and compared.</summary>
    public static string Normalize(string name) => name.Trim().TrimEnd('.').ToLowerInvariant();

    /// <summary>The first label: "acme" of "acme.example.com".</summary>
    public static string FirstLabel(string name) => name.Split('.', 2)[0];

    /// <summary>A name under the default domain.</summary>
    public string UnderDefaultDomain(string label) => $"{label}.{options.DefaultDomain}";

    /// <summary>Notes everything that is wrong with the names of one installation, each under its own field.</summary>
    /// <param name="names">Normalized names, the primary one first.</param>
    /// <param name="field">Path of the list in the request, for example <c>installation.dns_names</c>.</param>
    /// <param name="problems">Where problems go.</param>
    public void Check(IReadOnlyList<string> names, string field, FieldProblems problems)
    {
        if (names.Count > MaxNames)
        {
            problems.Add(field, $"At most {MaxNames} names, not {names.Count}.", ErrorReason.DnsNamesTooMany);
            return;
        }

        for (var i = 0; i < names.Count; i++)
        {
            var path = $"{field}[{i}]";
            CheckName(names[i], path, problems);
            if (names.Take(i).Contains(names[i], StringComparer.Ordinal))
            {
                problems.Add(path, $"'{names[i]}' is named twice.", ErrorReason.DnsNameRepeated);
            }
        }
    }

    /// <summary>Notes what is wrong with a first label given alone.</summary>
    public void CheckLabel(string label, string field, FieldProblems problems)
    {
        if (LabelProblem(label) is { } wrong)
        {
            problems.Add(field, wrong, ErrorReason.DnsLabelInvalid);
            return;
        }

        CheckFirstLabel(label, field, problems);
    }

    private void CheckName(string name, string field, FieldProblems problems)
    {
        if (name.Length > MaxNameLength)
        {
            problems.Add(
                field, $"A host name has at most {MaxNameLength} characters, not {name.Length}.",
                ErrorReason.DnsNameTooLong);
            return;
        }

        if (name.Split('.').Select(LabelProblem).FirstOrDefault(problem => problem is not null) is { } wrong)
        {
            problems.Add(field, $"'{name}' is not a host name: {wrong}", ErrorReason.DnsNameInvalid);
            return;
        }

        // Compared with the dot, or evilexample.com would pass for example.com; and one label before the domain,
        // because wildcard certificates and wildcard records cover just one.
        var domain = options.Domains.FirstOrDefault(d => name.EndsWith($".{d}", StringComparison.Ordinal));
        if (domain is null || name[..^(domain.Length + 1)].Contains('.'))
        {
            var served = string.Join(", ", options.Domains.Select(d => $"<label>.{d}"));
            problems.Add(field, $"'{name}' is not a name this cloud serves; use {served}.", ErrorReason.DnsNameForeign);
            return;
        }

        CheckFirstLabel(FirstLabel(name), field, problems);
    }

    private void CheckFirstLabel(string label, string field, FieldProblems problems)
    {
        if (label.Length < MinFirstLabelLength)
        {
            problems.Add(
                field, $"The first label has {MinFirstLabelLength} to {MaxLabelLength} characters, not {label.Length}.",
                ErrorReason.DnsLabelInvalid);
        }
        else if (options.ReservedLabels.Contains(label, StringComparer.Ordinal))
        {
            problems.Add(field, $"'{label}' is reserved; choose another name.", ErrorReason.DnsNameReserved);
        }
    }

    private static string? LabelProblem(string label) => label switch
    {
        "" => "a label is empty.",
        { Length: > MaxLabelLength } => $"the label '{label}' has more than {MaxLabelLength} characters.",
        _ when label.StartsWith('-') || label.EndsWith('-') => $"the label '{label}' begins or ends with a hyphen.",
        _ when !label.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-') =>
            $"the label '{label}' has characters other than letters, digits and hyphens.",
        _ => null,
    };
}
