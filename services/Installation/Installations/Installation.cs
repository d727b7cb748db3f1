namespace Cloud.Installations;

/// <summary>One customer's copy of the application: the row. <c>Version</c> of the base is the row's own (the etag);
/// the application's is <see cref="ApplicationVersion"/>.</summary>
public sealed record Installation : SupervisedRow<InstallationState>
{
    /// <summary>The noun in leases, nudges and events.</summary>
    public const string Noun = "installation";

    private const string NamePrefix = "installations/";

    /// <summary>Whose it is: the client's own id of the customer.</summary>
    public required string OwnerId { get; init; }

    /// <summary>Host names, the primary one first. Kept after deletion, when others may have them again.</summary>
    public required string[] DnsNames { get; init; }

    /// <summary>Image tag of the application.</summary>
    public required string ApplicationVersion { get; init; }

    /// <summary>Image repository of the application.</summary>
    public required string Image { get; init; }

    /// <summary>Size by the operator's names.</summary>
    public required string Size { get; init; }

    /// <summary><c>multitenant</c> or <c>isolated</c>.</summary>
    public required string Affinity { get; init; }

    /// <summary>Environment of the application.</summary>
    public required IReadOnlyDictionary<string, EnvironmentVariable> MattermostEnv { get; init; }

    /// <summary><c>clusters/{id}</c> once placed.</summary>
    public string? Cluster { get; init; }

    /// <summary><c>clusterInstallations/{id}</c> once created.</summary>
    public string? ClusterInstallation { get; init; }

    /// <summary><c>logicalDatabases/{id}</c> once created.</summary>
    public string? LogicalDatabase { get; init; }

    /// <summary>How long the deletion that was asked for stays pending, counted from when the pods are stopped: only
    /// from then on it can be taken back.</summary>
    public TimeSpan? DeletionPendingTime { get; init; }

    /// <summary>When a pending deletion becomes final; an estimate until the pods are stopped.</summary>
    public DateTimeOffset? PurgeTime { get; init; }

    /// <summary>When the row last changed visibly.</summary>
    public DateTimeOffset UpdateTime { get; init; }

    /// <summary>When it was gone for good.</summary>
    public DateTimeOffset? DeleteTime { get; init; }

    /// <summary>Resource name.</summary>
    public string Name => NameOf(Id);

    /// <summary>Resource name of an id.</summary>
    public static string NameOf(string id) => NamePrefix + id;

    /// <summary>The id in a resource name; null when it is not the name of an installation.</summary>
    public static string? IdOf(string name) =>
        name.StartsWith(NamePrefix, StringComparison.Ordinal) && ResourceId.IsValid(name[NamePrefix.Length..])
            ? name[NamePrefix.Length..]
            : null;
}
