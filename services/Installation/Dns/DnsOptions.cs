namespace Cloud.Dns;

/// <summary>Which names this cloud serves. Configuration section <c>Dns</c>.</summary>
public sealed record DnsOptions
{
    /// <summary>Domains that installations' names may end in, lower case; the first is the default one.
    /// Required.</summary>
    public string[] Domains { get; init; } = [];

    /// <summary>First labels that no customer gets, because people would take them for ours.</summary>
    public string[] ReservedLabels { get; init; } = [];

    /// <summary>Where people reach a host: <c>{host}</c> is replaced. Default <c>https://{host}/</c>.</summary>
    public string UrlFormat { get; init; } = "https://{host}/";

    /// <summary>The domain used for names that do not say one.</summary>
    public string DefaultDomain => Domains[0];

    /// <summary>These options, if names can be served by them.</summary>
    /// <exception cref="InvalidOperationException">A setting is missing or wrong; the message says which.</exception>
    public DnsOptions Checked()
    {
        if (Domains.Length == 0 || Domains.Any(d => d.Length == 0 || d != DnsNames.Normalize(d)))
        {
            throw new InvalidOperationException(
                "Dns:Domains must name at least one domain, in lower case: the one that customers' names end in.");
        }

        return UrlFormat.Contains("{host}", StringComparison.Ordinal)
            ? this
            : throw new InvalidOperationException("Dns:UrlFormat must contain {host}.");
    }

    /// <summary>Where people reach <paramref name="host"/>.</summary>
    public string UrlOf(string host) => UrlFormat.Replace("{host}", host, StringComparison.Ordinal);
}
