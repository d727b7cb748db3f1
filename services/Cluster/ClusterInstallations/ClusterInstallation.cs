using System.Collections.Immutable;
using Cloud.Placement;

namespace Cloud.ClusterInstallations;

/// <summary>States of a cluster installation, by the predecessor's names.</summary>
public enum ClusterInstallationState
{
    /// <summary>Asked for; its objects are being written.</summary>
    CreationRequested,

    /// <summary>The objects are written, or have to be again; the operator is at work.</summary>
    Reconciling,

    /// <summary>Some pods of the newest version answer, not all.</summary>
    Ready,

    /// <summary>At rest: the operator has reported the newest spec as done.</summary>
    Stable,

    /// <summary>The cluster refused the objects for good.</summary>
    CreationFailed,

    /// <summary>Asked for: remove everything of it.</summary>
    DeletionRequested,

    /// <summary>Removing failed for good.</summary>
    DeletionFailed,

    /// <summary>Nothing of it is left in the cluster.</summary>
    Deleted,
}

/// <summary>What is wanted in the cluster.</summary>
public sealed record ClusterInstallationSpec
{
    /// <summary>Version (image tag).</summary>
    public required string Version { get; init; }

    /// <summary>Image repository.</summary>
    public required string Image { get; init; }

    /// <summary>Size by the operator's names.</summary>
    public required string Size { get; init; }

    /// <summary>No pods; the address answers 410.</summary>
    public bool Hibernated { get; init; }

    /// <summary>Host names, the primary one first; at least one.</summary>
    public required ImmutableArray<string> DnsNames { get; init; }

    /// <summary>Plain environment variables.</summary>
    public ImmutableSortedDictionary<string, string> Env { get; init; } = NoVariables;

    /// <summary>Environment variables out of Secrets: name to <c>secret/key</c>.</summary>
    public ImmutableSortedDictionary<string, string> SecretEnv { get; init; } = NoVariables;

    /// <summary>Environment variables out of ConfigMaps: name to <c>configmap/key</c>.</summary>
    public ImmutableSortedDictionary<string, string> ConfigMapEnv { get; init; } = NoVariables;

    /// <summary><c>logicalDatabases/{id}</c>.</summary>
    public required string LogicalDatabase { get; init; }

    private static ImmutableSortedDictionary<string, string> NoVariables =>
        ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    /// <summary>Equal by content, which the collections themselves are not.</summary>
    public bool Equals(ClusterInstallationSpec? other) =>
        other is not null && Version == other.Version && Image == other.Image && Size == other.Size
        && Hibernated == other.Hibernated && LogicalDatabase == other.LogicalDatabase
        && DnsNames.SequenceEqual(other.DnsNames) && Env.SequenceEqual(other.Env)
        && SecretEnv.SequenceEqual(other.SecretEnv) && ConfigMapEnv.SequenceEqual(other.ConfigMapEnv);

    public override int GetHashCode() => HashCode.Combine(Version, Image, Size, Hibernated, LogicalDatabase);
}

/// <summary>What the operator in the cluster reported last.</summary>
public sealed record OperatorStatus
{
    public static readonly OperatorStatus None = new();

    /// <summary><c>reconciling</c>, <c>ready</c>, <c>stable</c>; empty before the operator saw it.</summary>
    public string State { get; init; } = "";

    /// <summary>Pods there are, old ones included.</summary>
    public int Replicas { get; init; }

    /// <summary>Available pods of the newest revision.</summary>
    public int UpdatedReplicas { get; init; }

    public string Version { get; init; } = "";

    public string Image { get; init; } = "";

    /// <summary>Host that the ingress serves.</summary>
    public string Endpoint { get; init; } = "";

    /// <summary>The operator's last error; empty when there is none.</summary>
    public string Error { get; init; } = "";
}

/// <summary>One installation in one cluster: the row.</summary>
public sealed record ClusterInstallation : SupervisedRow<ClusterInstallationState>
{
    /// <summary>The noun in leases, nudges and events.</summary>
    public const string Noun = "cluster_installation";

    private const string NamePrefix = "clusterInstallations/";
    private const int ResourceNameIdLength = 4;

    public required string InstallationId { get; init; }

    public required string ClusterId { get; init; }

    public required ClusterInstallationSpec Spec { get; init; }

    /// <summary>Grows by one with each change of the spec.</summary>
    public long Generation { get; init; } = 1;

    /// <summary>Generation whose objects were last written completely; 0 when they have to be written
    /// (again).</summary>
    public long AppliedGeneration { get; init; }

    /// <summary>Generation that <see cref="Status"/> is about.</summary>
    public long ObservedGeneration { get; init; }

    public OperatorStatus Status { get; init; } = OperatorStatus.None;

    /// <summary>uid of the resource in the cluster when it was last written; tells a re-made one apart.</summary>
    public string ResourceUid { get; init; } = "";

    /// <summary>The resource's own generation when it was last found as wanted; another one means that somebody changed
    /// it.</summary>
    public long ResourceGeneration { get; init; }

    public DateTimeOffset? DeleteTime { get; init; }

    /// <summary>When the row last changed.</summary>
    public DateTimeOffset UpdateTime { get; init; }

    /// <summary>Whether its objects are to go, or are gone.</summary>
    public bool IsLeaving => State is ClusterInstallationState.DeletionRequested
        or ClusterInstallationState.DeletionFailed or ClusterInstallationState.Deleted;

    /// <summary>Resource name.</summary>
    public string Name => NameOf(Id);

    /// <summary>Namespace in the cluster.</summary>
    public string Namespace => InstallationId;

    /// <summary>Name of the <c>Mattermost</c> resource.</summary>
    public string ResourceName => $"mm-{InstallationId[..ResourceNameIdLength]}";

    /// <summary>The size's numbers. Only known sizes get into a row.</summary>
    public WorkspaceSize Size => WorkspaceSize.Find(Spec.Size)
        ?? throw new InvalidOperationException($"{Name} has the unknown size '{Spec.Size}'.");

    /// <summary>Application pods that are wanted.</summary>
    public int Replicas => Spec.Hibernated ? 0 : Size.Replicas;

    /// <summary>Resource name of an id.</summary>
    public static string NameOf(string id) => NamePrefix + id;

    /// <summary>The id in a resource name; null when it is not the name of a cluster installation.</summary>
    public static string? IdOf(string name) =>
        name.StartsWith(NamePrefix, StringComparison.Ordinal) && ResourceId.IsValid(name[NamePrefix.Length..])
            ? name[NamePrefix.Length..]
            : null;
}
