using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using Proto = Cloud.Protos.Cluster.V1;

namespace Cloud.Clusters;

/// <summary>Between rows and the messages of the contract.</summary>
public static class ClusterMessages
{
    /// <summary>The row as clients see it, without what is seen in the cluster.</summary>
    public static Proto.Cluster Of(Cluster row) => new()
    {
        Name = row.Name,
        DisplayName = row.DisplayName,
        AllowInstallations = row.AllowInstallations,
        UtilizationThresholdPercent = row.UtilizationThresholdPercent,
        State = StateNames<ClusterState>.Of(row.State),
        Progress = SupervisionMessages.ProgressOf(row),
        Server = row.Server,
        OperatorImage = row.OperatorImage,
        CreateTime = row.CreateTime.ToTimestamp(),
        UpdateTime = row.UpdateTime.ToTimestamp(),
        DeleteTime = row.DeleteTime?.ToTimestamp(),
        LeftBehind = { row.LeftBehind },
        Etag = EtagOf(row),
    };

    /// <summary>Adds what is seen in the cluster now.</summary>
    public static Proto.Cluster With(
        this Proto.Cluster message, Observation seen, Placement.Reserved reserved)
    {
        var capacity = seen.Capacity;
        var requested = capacity.Unreserved + reserved.Room;
        message.Reachable = seen.Reachable;
        message.UnreachableReason = seen.UnreachableReason;
        message.KubernetesVersion = seen.KubernetesVersion;
        message.InstallationCount = reserved.Installations;
        message.Capacity = new Proto.Capacity
        {
            Nodes = capacity.Nodes,
            CpuMillisAllocatable = capacity.Allocatable.CpuMillis,
            CpuMillisRequested = requested.CpuMillis,
            MemoryBytesAllocatable = capacity.Allocatable.MemoryBytes,
            MemoryBytesRequested = requested.MemoryBytes,
            PodsAllocatable = capacity.Allocatable.Pods,
            PodsRequested = requested.Pods,
            ObserveTime = seen.ObserveTime?.ToTimestamp(),
        };
        return message;
    }

    /// <summary>The row's etag.</summary>
    public static string EtagOf(Cluster row) => row.Version.ToString(CultureInfo.InvariantCulture);
}
