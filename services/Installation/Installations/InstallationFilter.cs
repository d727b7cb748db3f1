using Proto = Cloud.Protos.Installation.V1;

namespace Cloud.Installations;

/// <summary>Which installations are meant; null does not restrict.</summary>
public sealed record InstallationFilter
{
    /// <summary>Exact owner.</summary>
    public string? Owner { get; init; }

    /// <summary>Any of these states; none does not restrict.</summary>
    public IReadOnlyList<InstallationState> States { get; init; } = [];

    /// <summary>Exact host name or its first label.</summary>
    public string? DnsName { get; init; }

    /// <summary><c>clusters/{id}</c>.</summary>
    public string? Cluster { get; init; }

    /// <summary>Exact application version.</summary>
    public string? Version { get; init; }

    /// <summary>Exact size.</summary>
    public string? Size { get; init; }

    /// <summary>Also those that are deleted for good.</summary>
    public bool Deleted { get; init; }

    /// <summary>Binds page and resume tokens to the filter they were made with.</summary>
    public string Hash => PageToken.HashOf(
        Owner, string.Join(',', States.Order()), DnsName, Cluster, Version, Size, Deleted ? "deleted" : null);

    /// <summary>The filter of a request, everything wrong with it noted.</summary>
    public static InstallationFilter Of(Proto.InstallationFilter? filter, FieldProblems problems)
    {
        if (filter is null)
        {
            return new InstallationFilter();
        }

        var states = new List<InstallationState>();
        foreach (var name in filter.States.Distinct())
        {
            if (StateNames<InstallationState>.TryParse(name, out var state))
            {
                states.Add(state);
            }
            else
            {
                problems.Add(
                    "filter.states",
                    $"'{name}' is not a state; there are {string.Join(", ", StateNames<InstallationState>.All)}.",
                    ErrorReason.StateUnknown);
            }
        }

        if (filter.Cluster.Length > 0 && !filter.Cluster.StartsWith("clusters/", StringComparison.Ordinal))
        {
            problems.Add(
                "filter.cluster", $"'{filter.Cluster}' has not the form clusters/{{id}}.",
                ErrorReason.ResourceNameInvalid);
        }

        if (filter.Size.Length > 0 && !InstallationChecks.Sizes.Contains(filter.Size, StringComparer.Ordinal))
        {
            problems.Add(
                "filter.size",
                $"'{filter.Size}' is not a size; there are {string.Join(", ", InstallationChecks.Sizes)}.",
                ErrorReason.SizeUnknown);
        }

        return new InstallationFilter
        {
            Owner = NullIfEmpty(filter.OwnerId),
            States = states,
            DnsName = NullIfEmpty(Dns.DnsNames.Normalize(filter.DnsName)),
            Cluster = NullIfEmpty(filter.Cluster),
            Version = NullIfEmpty(filter.Version),
            Size = NullIfEmpty(filter.Size),
            Deleted = filter.ShowDeleted || states.Contains(InstallationState.Deleted),
        };
    }

    /// <summary>Whether an installation, as clients see it, is meant; the same answer as the store's condition
    /// gives.</summary>
    /// <param name="installation">The message.</param>
    /// <param name="state">The state to judge it by: its own, or one it just left.</param>
    public bool Matches(Proto.Installation installation, string state) =>
        (Deleted || state != StateNames<InstallationState>.Of(InstallationState.Deleted))
        && (States.Count == 0 || States.Any(s => StateNames<InstallationState>.Of(s) == state))
        && (Owner is null || installation.OwnerId == Owner)
        && (DnsName is null || installation.DnsNames.Any(n => n == DnsName || Dns.DnsNames.FirstLabel(n) == DnsName))
        && (Cluster is null || installation.Cluster == Cluster)
        && (Version is null || installation.Version == Version)
        && (Size is null || installation.Size == Size);

    /// <summary>Whether a filter may mean one of two versions and not the other, their states aside.</summary>
    public static bool CanTellApart(Installation one, Installation other) =>
        one.OwnerId != other.OwnerId
        || !one.DnsNames.SequenceEqual(other.DnsNames)
        || one.Cluster != other.Cluster
        || one.ApplicationVersion != other.ApplicationVersion
        || one.Size != other.Size;

    private static string? NullIfEmpty(string text) => text.Length == 0 ? null : text;
}
