using Cloud.Placement;
using Proto = Cloud.Protos.Cluster.V1;

namespace Cloud.Clusters;

/// <summary>Clusters as clients see them: the row, and what is seen and reserved in the cluster now.</summary>
public sealed class ClusterViews(ClusterStore clusters, PlacementStore placements)
{
    /// <summary>One cluster.</summary>
    public async Task<Proto.Cluster> OfAsync(Cluster row, CancellationToken ct) => (await OfAsync([row], ct))[0];

    /// <summary>Clusters in the order given; a few queries for all of them.</summary>
    public async Task<IReadOnlyList<Proto.Cluster>> OfAsync(IReadOnlyList<Cluster> rows, CancellationToken ct)
    {
        var messages = rows.Select(ClusterMessages.Of).ToList();
        await CompleteAsync(messages, ct);
        return messages;
    }

    /// <summary>Completes clusters, as rows or events tell them, with what is seen now.</summary>
    public async Task CompleteAsync(IReadOnlyList<Proto.Cluster> messages, CancellationToken ct)
    {
        var ids = messages.Select(m => Cluster.IdOf(m.Name) ?? "").ToArray();
        var seen = await clusters.ObservationsAsync(ids, ct);
        var reserved = await placements.ReservedAsync(ids, ct);
        var counts = await clusters.InstallationCountsAsync(ids, ct);
        foreach (var (id, message) in ids.Zip(messages))
            message.With(
                seen.GetValueOrDefault(id, Observation.None),
                reserved.GetValueOrDefault(id, Reserved.Nothing).Room,
                counts.GetValueOrDefault(id));
    }
}
