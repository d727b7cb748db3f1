using Cloud.Placement;
using Proto = Cloud.Protos.Cluster.V1;

namespace Cloud.Clusters;

/// <summary>Clusters as clients see them: the row, and what is seen and reserved in the cluster now.</summary>
public sealed class ClusterViews(ClusterStore clusters, PlacementStore placements)
{
    /// <summary>One cluster.</summary>
    public async Task<Proto.Cluster> OfAsync(Cluster row, CancellationToken ct) => (await OfAsync([row], ct))[0];

    /// <summary>Clusters in the order given; a few queries for all of them.</summary>
    public Task<IReadOnlyList<Proto.Cluster>> OfAsync(IReadOnlyList<Cluster> rows, CancellationToken ct) =>
        CompleteAsync([.. rows.Select(r => (r.Id, ClusterMessages.Of(r)))], ct);

    /// <summary>A cluster as an event told it, completed with what is seen now.</summary>
    public async Task<Proto.Cluster> CompleteAsync(string id, Proto.Cluster message, CancellationToken ct) =>
        (await CompleteAsync([(id, message)], ct))[0];

    private async Task<IReadOnlyList<Proto.Cluster>> CompleteAsync(
        IReadOnlyList<(string Id, Proto.Cluster Message)> rows, CancellationToken ct)
    {
        string[] ids = [.. rows.Select(r => r.Id)];
        var seen = await clusters.ObservationsAsync(ids, ct);
        var reserved = await placements.ReservedAsync(ids, ct);
        var counts = await clusters.InstallationCountsAsync(ids, ct);
        return [.. rows.Select(r => r.Message.With(
            seen.GetValueOrDefault(r.Id, Observation.None),
            reserved.GetValueOrDefault(r.Id, Reserved.Nothing).Room,
            counts.GetValueOrDefault(r.Id)))];
    }
}
