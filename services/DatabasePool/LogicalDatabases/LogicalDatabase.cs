using Cloud.Providers;
using Cloud.ServiceDefaults.Supervision;

namespace Cloud.LogicalDatabases;

/// <summary>Where a logical database is in its life. Public names are the kebab-case ones.</summary>
public enum LogicalDatabaseState
{
    /// <summary>Its server is chosen; database and role are to be made.</summary>
    CreationRequested,

    /// <summary>Database and role are there.</summary>
    Stable,

    /// <summary>They cannot be made as things are; the last error says why. Asking again tries again.</summary>
    CreationFailed,

    /// <summary>Database and role are to be dropped.</summary>
    DeletionRequested,

    /// <summary>They cannot be dropped as things are; the last error says why. Asking again tries again.</summary>
    DeletionFailed,

    /// <summary>Nothing of it is left on the server. The row stays for the record.</summary>
    Deleted,
}

/// <summary>One installation's database and role on a shared server. No password is part of it, ever.</summary>
public sealed record LogicalDatabase : SupervisedRow<LogicalDatabaseState>
{
    /// <summary>Connections that a role may hold at once; the application's pool of ten, twice.</summary>
    public const int ConnectionLimitDefault = 20;

    /// <summary>Whose it is; among live rows each installation has one.</summary>
    public required string InstallationId { get; init; }

    /// <summary>Where it is. Chosen with the row, and anew only while nothing of it can be there
    /// (<see cref="Rechoice"/>).</summary>
    public required string DatabaseServerId { get; init; }

    /// <summary>Connections that the role may hold at once.</summary>
    public required int ConnectionLimit { get; init; }

    /// <summary>The highest epoch of a holder that was issued credentials; 0 before.</summary>
    public long HolderEpoch { get; init; }

    /// <summary>When credentials were last issued; null before.</summary>
    public DateTimeOffset? CredentialsIssuedAt { get; init; }

    /// <summary>When the row last changed; the store sets it.</summary>
    public DateTimeOffset UpdateTime { get; init; }

    /// <summary>Somebody has asked to drop it.</summary>
    public bool IsLeaving => State is LogicalDatabaseState.DeletionRequested or LogicalDatabaseState.DeletionFailed;

    /// <summary>Resource name.</summary>
    public string Name => NameOf(Id);

    /// <summary>Resource name of the installation.</summary>
    public string Installation => InstallationNameOf(InstallationId);

    /// <summary>
    /// Name of the database on the server: the predecessor's form, derived, so that it needs no memory.
    /// </summary>
    public string DatabaseName => $"cloud_{InstallationId}";

    /// <summary>Name of the role that owns it.</summary>
    public string RoleName => $"user_{InstallationId}";

    /// <summary>What must be on the server, under this claim.</summary>
    public DatabaseSpec Spec => new(InstallationId, DatabaseName, RoleName, ConnectionLimit, Epoch);

    /// <summary>Resource name of an id.</summary>
    public static string NameOf(string id) => $"logicalDatabases/{id}";

    /// <summary>Resource name of an installation's id.</summary>
    public static string InstallationNameOf(string id) => $"installations/{id}";
}
