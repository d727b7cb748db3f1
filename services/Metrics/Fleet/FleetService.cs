using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Fleet;

/// <summary>The fleet in numbers, as its readers see it.</summary>
public sealed class FleetService(FleetStore store) : Proto.FleetService.FleetServiceBase
{
    /// <summary>Resource type of installations in the feed.</summary>
    private const string Installation = "installation";

    /// <inheritdoc/>
    public override async Task<Proto.FleetStatus> GetFleetStatus(
        Proto.GetFleetStatusRequest request, ServerCallContext context) =>
        ToProto(await store.CountAsync(context.CancellationToken));

    /// <summary>Sorts the counts into what operators ask about. Pure.</summary>
    public static Proto.FleetStatus ToProto(FleetCounts fleet)
    {
        var status = new Proto.FleetStatus { Sequence = fleet.Sequence };
        foreach (var type in fleet.Counts.GroupBy(c => c.ResourceType))
        {
            var count = new Proto.ResourceCount { ResourceType = type.Key };
            count.ByState.Add(type.ToDictionary(c => c.State, c => c.Count));
            status.Resources.Add(count);
        }

        foreach (var count in fleet.Counts.Where(c => c.ResourceType == Installation))
        {
            status.Installations += count.Count;
            Sort(count, status);
        }

        status.Sources.AddRange(fleet.Sources.Select(s => new Proto.SourcePosition
        {
            Source = s.Source,
            SourceSequence = s.SourceSequence,
            OccurTime = s.OccurredAt.ToTimestamp(),
            Generation = s.Generation,
        }));
        return status;
    }

    private static void Sort(StateCount count, Proto.FleetStatus status)
    {
        if (count.State == "stable")
        {
            status.InstallationsStable += count.Count;
        }
        else if (count.State == "hibernating")
        {
            status.InstallationsHibernating += count.Count;
        }
        else if (count.State.StartsWith("deletion-pending", StringComparison.Ordinal))
        {
            status.InstallationsDeletionPending += count.Count;
        }
        else if (count.State.EndsWith("-failed", StringComparison.Ordinal))
        {
            status.InstallationsFailed += count.Count;
        }
        else
        {
            status.InstallationsUpdating += count.Count;
        }
    }
}
