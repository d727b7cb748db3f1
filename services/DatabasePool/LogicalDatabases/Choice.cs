using System.Globalization;
using Cloud.DatabaseServers;

namespace Cloud.LogicalDatabases;

/// <summary>
/// Which server a new database goes to. Pure: what it decides by is what it is given.
/// <para>
/// Among servers with a free slot the one wins that is least filled for its weight, so that shares follow weights
/// (twice the weight, twice the databases) however the burst arrives; equals go by free slots, then by id.
/// </para>
/// </summary>
public sealed record Choice
{
    private Choice(DatabaseServer? server, IReadOnlyDictionary<string, string> refusals) =>
        (Server, Refusals) = (server, refusals);

    /// <summary>The chosen server; null when none has room.</summary>
    public DatabaseServer? Server { get; }

    /// <summary>Why each server that was not eligible was not, by resource name.</summary>
    public IReadOnlyDictionary<string, string> Refusals { get; }

    /// <summary>Chooses among live servers.</summary>
    public static Choice Of(IEnumerable<DatabaseServer> servers)
    {
        var refusals = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var eligible = new List<DatabaseServer>();
        foreach (var server in servers)
        {
            if (RefusalOf(server) is { } refusal)
            {
                refusals[server.Name] = $"{server.DisplayName}: {refusal}";
            }
            else
            {
                eligible.Add(server);
            }
        }

        var best = eligible
            .OrderBy(s => (s.DatabaseCount + 1) / (double)s.Weight)
            .ThenByDescending(s => s.MaxDatabases - s.DatabaseCount)
            .ThenBy(s => s.Id, StringComparer.Ordinal)
            .FirstOrDefault();
        return new Choice(best, refusals);
    }

    /// <summary>Why a server takes no new database, in words; null when it does.</summary>
    public static string? RefusalOf(DatabaseServer server) => server switch
    {
        _ when UnfitnessOf(server) is { } unfitness => unfitness,
        _ when server.DatabaseCount >= server.MaxDatabases => string.Create(
            CultureInfo.InvariantCulture,
            $"is full: {server.DatabaseCount} of {server.MaxDatabases} databases"),
        _ => null,
    };

    /// <summary>Why a server should not even get a database that has a slot there already; null when it may.</summary>
    public static string? UnfitnessOf(DatabaseServer server) => server switch
    {
        { State: DatabaseServerState.ProvisioningRequested } => "is being checked and not ready yet",
        { State: DatabaseServerState.ProvisioningFailed } => server.LastError ?? "failed its check",
        { State: DatabaseServerState.DeletionRequested or DatabaseServerState.Deleted } => "is being let go",
        { Reachable: false } => server.UnreachableReason.Length > 0 ? server.UnreachableReason : "does not answer",
        { AllowDatabases: false } => "takes no new databases (allow_databases is false)",
        _ => null,
    };
}
