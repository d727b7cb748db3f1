using System.Collections.Immutable;
using System.Globalization;
using Cloud.Clusters;
using Google.Protobuf.WellKnownTypes;
using Proto = Cloud.Protos.Cluster.V1;

namespace Cloud.ClusterInstallations;

/// <summary>Between rows and the messages of the contract.</summary>
public static class ClusterInstallationMessages
{
    private const string InstallationPrefix = "installations/";

    /// <summary>The row as clients see it.</summary>
    public static Proto.ClusterInstallation Of(ClusterInstallation row) => new()
    {
        Name = row.Name,
        Installation = InstallationNameOf(row.InstallationId),
        Cluster = Cluster.NameOf(row.ClusterId),
        Spec = Of(row.Spec),
        Namespace = row.Namespace,
        ResourceName = row.ResourceName,
        State = StateNames<ClusterInstallationState>.Of(row.State),
        Progress = SupervisionMessages.ProgressOf(row),
        Status = Of(row.Status),
        Generation = row.Generation,
        ObservedGeneration = row.ObservedGeneration,
        CreateTime = row.CreateTime.ToTimestamp(),
        UpdateTime = row.UpdateTime.ToTimestamp(),
        DeleteTime = row.DeleteTime?.ToTimestamp(),
        Etag = EtagOf(row),
    };

    /// <summary>A spec as it is kept. Its fields have been checked.</summary>
    public static ClusterInstallationSpec SpecOf(Proto.ClusterInstallationSpec message) => new()
    {
        Version = message.Version,
        Image = message.Image,
        Size = message.Size,
        Hibernated = message.Hibernated,
        DnsNames = [.. message.DnsNames],
        Env = message.Env.ToImmutableSortedDictionary(StringComparer.Ordinal),
        SecretEnv = message.SecretEnv.ToImmutableSortedDictionary(StringComparer.Ordinal),
        ConfigMapEnv = message.ConfigMapEnv.ToImmutableSortedDictionary(StringComparer.Ordinal),
        LogicalDatabase = message.LogicalDatabase,
    };

    /// <summary>A kept spec as clients see it.</summary>
    public static Proto.ClusterInstallationSpec Of(ClusterInstallationSpec spec) => new()
    {
        Version = spec.Version,
        Image = spec.Image,
        Size = spec.Size,
        Hibernated = spec.Hibernated,
        DnsNames = { spec.DnsNames },
        Env = { spec.Env },
        SecretEnv = { spec.SecretEnv },
        ConfigMapEnv = { spec.ConfigMapEnv },
        LogicalDatabase = spec.LogicalDatabase,
    };

    /// <summary>The row's etag.</summary>
    public static string EtagOf(ClusterInstallation row) => row.Version.ToString(CultureInfo.InvariantCulture);

    /// <summary>Resource name of an installation.</summary>
    public static string InstallationNameOf(string id) => InstallationPrefix + id;

    /// <summary>The id in a resource name; null when it is not the name of an installation.</summary>
    public static string? InstallationIdOf(string name) =>
        name.StartsWith(InstallationPrefix, StringComparison.Ordinal)
        && ResourceId.IsValid(name[InstallationPrefix.Length..])
            ? name[InstallationPrefix.Length..]
            : null;

    private static Proto.ClusterInstallationStatus Of(OperatorStatus status) => new()
    {
        State = status.State,
        Replicas = status.Replicas,
        UpdatedReplicas = status.UpdatedReplicas,
        Version = status.Version,
        Image = status.Image,
        Endpoint = status.Endpoint,
        Error = status.Error,
    };
}
