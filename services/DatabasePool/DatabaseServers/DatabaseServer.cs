using Cloud.Providers;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;

namespace Cloud.DatabaseServers;

/// <summary>Where a database server is in its life. Public names are the kebab-case ones.</summary>
public enum DatabaseServerState
{
    /// <summary>Registered or changed; not looked at since.</summary>
    ProvisioningRequested,

    /// <summary>It answered, and the administrating role may do its work.</summary>
    Stable,

    /// <summary>It does not do; the last error says why. Looked at again now and then.</summary>
    ProvisioningFailed,

    /// <summary>To be let go.</summary>
    DeletionRequested,

    /// <summary>Let go. The row stays for the record.</summary>
    Deleted,
}

/// <summary>A PostgreSQL server that holds customers' databases.</summary>
public sealed record DatabaseServer : SupervisedRow<DatabaseServerState>
{
    /// <summary>Most databases that a server takes when registration does not say; the predecessor's limit.</summary>
    public const int MaxDatabasesDefault = 300;

    /// <summary>Weight of a server when registration does not say.</summary>
    public const int WeightDefault = 100;

    /// <summary>PostgreSQL's port.</summary>
    public const int PortDefault = 5432;

    /// <summary>For people; unique among live servers, whatever the case.</summary>
    public required string DisplayName { get; init; }

    /// <summary>Host that this service and the clusters reach it by; with the port unique among live servers.</summary>
    public required string Host { get; init; }

    public required int Port { get; init; }

    /// <summary>Role that databases are made with.</summary>
    public required string AdminUser { get; init; }

    /// <summary>Its password, encrypted by the service's keys.</summary>
    public required string AdminPassword { get; init; }

    /// <summary>How connections are secured; see <see cref="SslModes"/>.</summary>
    public required string SslMode { get; init; }

    /// <summary>How many logical databases fit.</summary>
    public required int MaxDatabases { get; init; }

    /// <summary>Twice the weight takes twice the share of new databases.</summary>
    public required int Weight { get; init; }

    /// <summary>Whether new databases may come.</summary>
    public required bool AllowDatabases { get; init; }

    /// <summary>What the server reported; empty before it answered first.</summary>
    public string ServerVersion { get; init; } = "";

    /// <summary>Whether it answered when last asked. Without it, no new databases.</summary>
    public bool Reachable { get; init; }

    /// <summary>Why it is not reachable, in words; empty when it is.</summary>
    public string UnreachableReason { get; init; } = "";

    /// <summary>Whether it is known not to answer. Its own row asks it again, and tells when it is back.</summary>
    public bool IsAway => this is { State: DatabaseServerState.Stable, Reachable: false };

    /// <summary>
    /// Databases there that every role of the server may connect to and that are not ours to close; empty when none.
    /// </summary>
    public string OpenDatabases { get; init; } = "";

    /// <summary>What was not dropped on a server that was forgotten, as <c>databases/name</c>,
    /// <c>roles/name</c>.</summary>
    public string[] LeftBehind { get; init; } = [];

    /// <summary>When the row last changed; the store sets it.</summary>
    public DateTimeOffset UpdateTime { get; init; }

    /// <summary>Logical databases on it that are not deleted: counted when the store is asked to.</summary>
    [NotStored]
    public int DatabaseCount { get; init; }

    /// <summary>Resource name.</summary>
    public string Name => NameOf(Id);

    /// <summary>Resource name of an id.</summary>
    public static string NameOf(string id) => $"databaseServers/{id}";
}
