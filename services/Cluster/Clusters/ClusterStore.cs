using Cloud.ServiceDefaults.Hosting;
using Dapper;
using Google.Protobuf;
using Npgsql;

namespace Cloud.Clusters;

/// <summary>All SQL of clusters and of what is seen in them.</summary>
public sealed class ClusterStore(Database database)
    : SupervisedStore<Cluster, ClusterState>(database, "clusters", Cluster.Noun, "clusters")
{
    /// <summary>What keeps display names apart.</summary>
    public const string DisplayNameConstraint = "clusters_display_name";

    private static readonly string SelectObservation =
        $"SELECT {RowMap<Observation>.ColumnList} FROM cluster_observations ";

    /// <summary>Clusters in the order in which they were imported.</summary>
    /// <param name="states">Public names; none means any.</param>
    /// <param name="after">Where the page before ended; null for the first.</param>
    public Task<IReadOnlyList<Cluster>> ListAsync(
        IReadOnlyList<string> states, bool deletedToo, PageKey? after, int limit, CancellationToken ct) =>
        PageAsync(
            new Conditions().InStates(states).AddUnless(deletedToo, "delete_time IS NULL"), after, limit, ct);

    /// <summary>Every cluster that was not let go.</summary>
    public Task<IReadOnlyList<Cluster>> LiveAsync(CancellationToken ct) =>
        SelectAsync("WHERE delete_time IS NULL ORDER BY create_time, id", null, ct);

    /// <summary>As above, in a transaction: placement decides on them.</summary>
    public Task<IReadOnlyList<Cluster>> LiveAsync(DatabaseTransaction transaction, CancellationToken ct) =>
        SelectAsync(transaction, "WHERE delete_time IS NULL ORDER BY create_time, id", null, ct);

    /// <summary>The live cluster of that display name, if there is one.</summary>
    public async Task<Cluster?> FindByDisplayNameAsync(string displayName, CancellationToken ct) =>
        (await SelectAsync("WHERE display_name = @displayName AND delete_time IS NULL", new { displayName }, ct))
        .SingleOrDefault();

    /// <summary>The live cluster of that UID, if there is one.</summary>
    public async Task<Cluster?> FindByUidAsync(string uid, CancellationToken ct) =>
        (await SelectAsync("WHERE uid = @uid AND delete_time IS NULL", new { uid }, ct)).SingleOrDefault();

    /// <summary>What was last seen of a cluster.</summary>
    public async Task<Observation> ObservationAsync(string clusterId, CancellationToken ct)
    {
        await using var connection = await Database.OpenAsync(ct);
        return (await ObservationsAsync(connection, [clusterId], ct)).GetValueOrDefault(clusterId, Observation.None);
    }

    /// <summary>What was last seen of clusters, by id; those that nobody looked at are missing.</summary>
    public static async Task<IReadOnlyDictionary<string, Observation>> ObservationsAsync(
        NpgsqlConnection connection, IReadOnlyList<string> clusterIds, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(SelectObservation + "WHERE cluster_id = ANY ($1)", connection);
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. clusterIds] });
        return await ReadObservationsAsync(command, ct);
    }

    /// <summary>What was last seen of all clusters, in a transaction.</summary>
    public static async Task<IReadOnlyDictionary<string, Observation>> ObservationsAsync(
        DatabaseTransaction transaction, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(
            SelectObservation, transaction.Connection, transaction.Transaction);
        return await ReadObservationsAsync(command, ct);
    }

    /// <summary>
    /// Writes a view of a cluster. A change of reachability is an event of the cluster; a change of capacity alone is
    /// not, because every pod would be one.
    /// </summary>
    /// <returns>False when the row says the same already, or the cluster is gone.</returns>
    public Task<bool> ObserveAsync(Observation seen, CancellationToken ct) =>
        Database.InTransactionAsync(async (transaction, token) =>
        {
            // The cluster's row first: its lock puts this event in order with those of the supervisor.
            var row = (await SelectAsync(transaction, "WHERE id = @id AND delete_time IS NULL FOR NO KEY UPDATE",
                new { id = seen.ClusterId }, token)).SingleOrDefault();
            if (row is null) return false;
            var before = await FindObservationAsync(transaction, seen.ClusterId, token);
            if (before is not null && before with { ObserveTime = seen.ObserveTime } == seen) return false;

            await UpsertAsync(transaction, seen, token);
            if (before?.Reachable != seen.Reachable || before.UnreachableReason != seen.UnreachableReason)
                await transaction.AppendAsync(ReachabilityEvent(row, seen), token);
            return true;
        }, ct);

    /// <summary>A stable cluster has lost what belongs into it: install it again.</summary>
    public Task<Cluster?> ReprovisionAsync(string clusterId, string why, CancellationToken ct) =>
        Database.InTransactionAsync((transaction, token) => ChangeAsync(
            transaction, clusterId,
            row => row.State == ClusterState.Stable ? row with { State = ClusterState.ProvisioningRequested } : row,
            why, token), ct);

    /// <summary>Who is in a cluster, in the transaction that wants to let it go.</summary>
    public static async Task<IReadOnlyList<Inhabitant>> InhabitantsAsync(
        DatabaseTransaction transaction, string clusterId, CancellationToken ct)
    {
        var inside = await transaction.Connection.QueryAsync<(string Id, bool IsLeaving)>(new CommandDefinition(
            """
            SELECT inside.installation_id, coalesce(live.state IN ('deletion-requested', 'deletion-failed'), false)
            FROM (
                SELECT installation_id FROM reservations WHERE cluster_id = @clusterId
                UNION
                SELECT installation_id FROM cluster_installations
                WHERE cluster_id = @clusterId AND delete_time IS NULL) AS inside
            LEFT JOIN cluster_installations AS live
                ON live.installation_id = inside.installation_id AND live.cluster_id = @clusterId
                AND live.delete_time IS NULL
            ORDER BY inside.installation_id
            """,
            new { clusterId }, transaction.Transaction, cancellationToken: ct));
        return [.. inside.Select(one => new Inhabitant(one.Id, one.IsLeaving))];
    }

    /// <inheritdoc/>
    protected override Cluster Stamp(Cluster row, DateTimeOffset now) => row with { UpdateTime = now };

    /// <inheritdoc/>
    protected override ResourceEvent EventFor(Cluster? before, Cluster after, ResourceEvent draft) => draft with
    {
        Snapshot = ClusterMessages.Of(after).ToByteArray(),
        Nudges = [new Nudge(ClusterWatches.Noun, after.Id)],
    };

    private ResourceEvent ReachabilityEvent(Cluster row, Observation seen) =>
        new(Noun, row.Name, EventTypes.Updated)
        {
            OldState = StateNames<ClusterState>.Of(row.State),
            NewState = StateNames<ClusterState>.Of(row.State),
            Reason = seen.Reachable ? "it answers" : $"it is not reachable: {seen.UnreachableReason}",
            ErrorCode = seen.Reachable ? null : ErrorReason.ClusterUnreachable.Text(),
            Actor = RequestContext.SupervisorActor,
            ResourceVersion = row.Version,
            Snapshot = ClusterMessages.Of(row).ToByteArray(),
        };

    private static async Task<Observation?> FindObservationAsync(
        DatabaseTransaction transaction, string clusterId, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(
            SelectObservation + "WHERE cluster_id = $1", transaction.Connection, transaction.Transaction);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = clusterId });
        return (await ReadObservationsAsync(command, ct)).GetValueOrDefault(clusterId);
    }

    private static async Task<IReadOnlyDictionary<string, Observation>> ReadObservationsAsync(
        NpgsqlCommand command, CancellationToken ct)
    {
        await using var reader = await command.ExecuteReaderAsync(ct);
        var rows = await RowMap<Observation>.ReadAllAsync(reader, ct);
        return rows.ToDictionary(o => o.ClusterId, StringComparer.Ordinal);
    }

    private static async Task UpsertAsync(DatabaseTransaction transaction, Observation seen, CancellationToken ct)
    {
        var columns = RowMap<Observation>.Columns;
        var values = string.Join(", ", columns.Select((_, n) => $"${n + 1}"));
        var updates = string.Join(", ", columns.Select(c => $"{c} = excluded.{c}"));
        await using var command = new NpgsqlCommand(
            $"INSERT INTO cluster_observations ({RowMap<Observation>.ColumnList}) VALUES ({values}) "
            + $"ON CONFLICT (cluster_id) DO UPDATE SET {updates}",
            transaction.Connection, transaction.Transaction);
        for (var column = 0; column < columns.Count; column++)
            command.Parameters.Add(RowMap<Observation>.Parameter(seen, column));
        await command.ExecuteNonQueryAsync(ct);
    }
}

/// <summary>An installation in a cluster, being created or deleted included.</summary>
/// <param name="IsLeaving">Somebody asked to delete it there.</param>
public readonly record struct Inhabitant(string InstallationId, bool IsLeaving);
