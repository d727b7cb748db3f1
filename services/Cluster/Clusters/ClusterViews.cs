using Cloud.Placement;
using Npgsql;
using Proto = Cloud.Protos.Cluster.V1;

namespace Cloud.Clusters;

/// <summary>Clusters as clients see them: the row, and what is seen and reserved in the cluster now.</summary>
public sealed class ClusterViews(Database database)
{
    /// <summary>One cluster.</summary>
    public async Task<Proto.Cluster> OfAsync(Cluster row, CancellationToken ct) => (await OfAsync([row], ct))[0];

    /// <summary>One cluster, in the transaction that changed it. On its own connection: requests that hold one and wait
    /// for another would, when there are as many as the pool has, wait for each other.</summary>
    public static async Task<Proto.Cluster> OfAsync(DatabaseTransaction transaction, Cluster row, CancellationToken ct)
    {
        var message = ClusterMessages.Of(row);
        await CompleteAsync(transaction.Connection, [message], ct);
        return message;
    }

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
        await using var connection = await database.OpenAsync(ct);
        await CompleteAsync(connection, messages, ct);
    }

    private static async Task CompleteAsync(
        NpgsqlConnection connection, IReadOnlyList<Proto.Cluster> messages, CancellationToken ct)
    {
        var ids = messages.Select(m => Cluster.IdOf(m.Name) ?? "").ToArray();
        var seen = await ClusterStore.ObservationsAsync(connection, ids, ct);
        var reserved = await PlacementStore.ReservedAsync(connection, ids, ct);
        foreach (var (id, message) in ids.Zip(messages))
            message.With(
                seen.GetValueOrDefault(id, Observation.None), reserved.GetValueOrDefault(id, Reserved.Nothing));
    }
}
