using System.Globalization;
using Cloud.Dns;
using Google.Protobuf.Collections;
using Google.Protobuf.WellKnownTypes;
using Proto = Cloud.Protos.Installation.V1;

namespace Cloud.Installations;

/// <summary>Between rows and the messages of the contract.</summary>
public sealed class InstallationMessages(DnsOptions dns)
{
    /// <summary>The row as clients see it.</summary>
    public Proto.Installation Of(Installation row)
    {
        var message = new Proto.Installation
        {
            Name = row.Name,
            OwnerId = row.OwnerId,
            DnsNames = { row.DnsNames },
            Version = row.ApplicationVersion,
            Image = row.Image,
            Size = row.Size,
            Affinity = row.Affinity,
            State = StateNames<InstallationState>.Of(row.State),
            Progress = SupervisionMessages.ProgressOf(row),
            Url = row.DnsNames.Length > 0 ? dns.UrlOf(row.DnsNames[0]) : "",
            Cluster = row.Cluster ?? "",
            ClusterInstallation = row.ClusterInstallation ?? "",
            LogicalDatabase = row.LogicalDatabase ?? "",
            CreateTime = row.CreateTime.ToTimestamp(),
            UpdateTime = row.UpdateTime.ToTimestamp(),
            DeleteTime = row.DeleteTime?.ToTimestamp(),
            PurgeTime = row.PurgeTime?.ToTimestamp(),
            Etag = EtagOf(row),
        };
        foreach (var (name, variable) in row.MattermostEnv)
        {
            message.MattermostEnv[name] = Of(variable);
        }

        return message;
    }

    /// <summary>The row's etag.</summary>
    public static string EtagOf(Installation row) => row.Version.ToString(CultureInfo.InvariantCulture);

    /// <summary>A checked environment as it is kept.</summary>
    public static SortedDictionary<string, EnvironmentVariable> EnvironmentOf(
        MapField<string, Proto.EnvVar> environment)
    {
        var sorted = new SortedDictionary<string, EnvironmentVariable>(StringComparer.Ordinal);
        foreach (var (name, variable) in environment)
        {
            sorted[name] = variable.SourceCase switch
            {
                Proto.EnvVar.SourceOneofCase.SecretKey => new(null, KeyOf(variable.SecretKey), null),
                Proto.EnvVar.SourceOneofCase.ConfigMapKey => new(null, null, KeyOf(variable.ConfigMapKey)),
                _ => new(variable.Value, null, null),
            };
        }

        return sorted;
    }

    private static Proto.EnvVar Of(EnvironmentVariable variable) => variable switch
    {
        { SecretKey: { } secret } => new() { SecretKey = Of(secret) },
        { ConfigMapKey: { } configMap } => new() { ConfigMapKey = Of(configMap) },
        _ => new() { Value = variable.Value ?? "" },
    };

    private static Proto.KeyReference Of(ObjectKey key) => new() { Name = key.Name, Key = key.Key };

    private static ObjectKey KeyOf(Proto.KeyReference reference) => new(reference.Name, reference.Key);
}
