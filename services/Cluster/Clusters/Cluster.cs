namespace Cloud.Clusters;

/// <summary>States of an application cluster, by the predecessor's names.</summary>
public enum ClusterState
{
    /// <summary>Imported; whether it answers and lets us in is being found out.</summary>
    CreationRequested,

    /// <summary>What belongs into it is being installed.</summary>
    ProvisionInProgress,

    /// <summary>At rest: the operator runs in it.</summary>
    Stable,

    /// <summary>It could not be taken over: not reachable, or it does not let us in.</summary>
    CreationFailed,

    /// <summary>Asked for: install everything again.</summary>
    ProvisioningRequested,

    /// <summary>Installing failed; what ran before still runs.</summary>
    ProvisioningFailed,

    /// <summary>Asked for: take our operator out and let the cluster go.</summary>
    DeletionRequested,

    /// <summary>Taking the operator out failed.</summary>
    DeletionFailed,

    /// <summary>Let go.</summary>
    Deleted,
}

/// <summary>An application cluster: the row. What is seen in it is kept apart, in <see cref="Observation"/>, so that
/// looking never collides with acting.</summary>
public sealed record Cluster : SupervisedRow<ClusterState>
{
    /// <summary>The noun in leases, nudges and events.</summary>
    public const string Noun = "cluster";

    /// <summary>Longest display name, in characters.</summary>
    public const int DisplayNameLengthMax = 64;

    public const int ThresholdPercentMin = 10;
    public const int ThresholdPercentMax = 100;

    /// <summary>The predecessor's.</summary>
    public const int ThresholdPercentDefault = 80;

    private const string NamePrefix = "clusters/";

    /// <summary>For people; unique among live clusters.</summary>
    public required string DisplayName { get; init; }

    /// <summary>Whether new installations may be placed here.</summary>
    public bool AllowInstallations { get; init; }

    /// <summary>Placement stops beyond this percentage of what is allocatable.</summary>
    public int UtilizationThresholdPercent { get; init; } = ThresholdPercentDefault;

    /// <summary>Address of the API server.</summary>
    public required string Server { get; init; }

    /// <summary>UID of its namespace <c>kube-system</c>, which stands for the cluster whatever its address; unique
    /// among live clusters, null before it was reached.</summary>
    public string? Uid { get; init; }

    /// <summary>The kubeconfig, encrypted.</summary>
    public required byte[] EncryptedKubeconfig { get; init; }

    /// <summary>Grows with each new kubeconfig: tells connections of the old one to end.</summary>
    public int KubeconfigRevision { get; init; } = 1;

    /// <summary>Image of the operator that was installed last; empty before.</summary>
    public string OperatorImage { get; init; } = "";

    /// <summary>When something may first have been written into it; null when it was never reached.</summary>
    public DateTimeOffset? FirstWriteTime { get; init; }

    /// <summary>When the operator first ran in it; null before. Installations need it.</summary>
    public DateTimeOffset? ProvisionTime { get; init; }

    /// <summary>When it was let go.</summary>
    public DateTimeOffset? DeleteTime { get; init; }

    /// <summary>What was not removed from a cluster that was forgotten, as <c>plural/name</c>.</summary>
    public string[] LeftBehind { get; init; } = [];

    /// <summary>When the row last changed.</summary>
    public DateTimeOffset UpdateTime { get; init; }

    /// <summary>Whether what we installed in it is to go, or is gone.</summary>
    public bool IsLeaving =>
        State is ClusterState.DeletionRequested or ClusterState.DeletionFailed or ClusterState.Deleted;

    /// <summary>Resource name.</summary>
    public string Name => NameOf(Id);

    /// <summary>Resource name of an id.</summary>
    public static string NameOf(string id) => NamePrefix + id;

    /// <summary>The id in a resource name; null when it is not the name of a cluster.</summary>
    public static string? IdOf(string name) =>
        name.StartsWith(NamePrefix, StringComparison.Ordinal) && ResourceId.IsValid(name[NamePrefix.Length..])
            ? name[NamePrefix.Length..]
            : null;
}

/// <summary>What was last seen of a cluster. Written by whoever watches, with no version: the newest view
/// wins.</summary>
public sealed record Observation
{
    /// <summary>Nobody has looked yet.</summary>
    public static readonly Observation None = new() { ClusterId = "" };

    public required string ClusterId { get; init; }

    /// <summary>Whether the API server answers and lets us read.</summary>
    public bool Reachable { get; init; }

    /// <summary>Why not, in words; empty when it does.</summary>
    public string UnreachableReason { get; init; } = "not looked at yet";

    /// <summary>Version that the API server reports; empty before it answered.</summary>
    public string KubernetesVersion { get; init; } = "";

    public Capacity Capacity { get; init; } = Capacity.None;

    /// <summary>When <see cref="Capacity"/> last changed; null before it was first seen.</summary>
    public DateTimeOffset? ObserveTime { get; init; }
}
