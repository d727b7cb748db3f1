using Cloud.Placement;
using Dapper;
using Google.Protobuf;
using static Cloud.ClusterInstallations.ClusterInstallationState;

namespace Cloud.ClusterInstallations;

/// <summary>All SQL of cluster installations.</summary>
public sealed class ClusterInstallationStore(Database database)
    : SupervisedStore<ClusterInstallation, ClusterInstallationState>(
        database, "cluster_installations", ClusterInstallation.Noun, "clusterInstallations")
{
    /// <summary>What a page of a list shows.</summary>
    /// <param name="InstallationId">Empty for all.</param>
    /// <param name="ClusterId">Empty for all.</param>
    /// <param name="States">Public names; none means any.</param>
    public sealed record Filter(
        string InstallationId, string ClusterId, IReadOnlyList<string> States, bool DeletedToo);

    /// <summary>Cluster installations in the order in which they were asked for.</summary>
    /// <param name="after">Where the page before ended; null for the first.</param>
    public Task<IReadOnlyList<ClusterInstallation>> ListAsync(
        Filter filter, PageKey? after, int limit, CancellationToken ct) =>
        PageAsync(
            new Conditions()
                .Equal("installation_id", filter.InstallationId)
                .Equal("cluster_id", filter.ClusterId)
                .InStates(filter.States)
                .AddUnless(filter.DeletedToo, "delete_time IS NULL"),
            after, limit, ct);

    /// <summary>The live row of an installation in a cluster, if there is one.</summary>
    public async Task<ClusterInstallation?> FindAsync(
        DatabaseTransaction transaction, string installationId, string clusterId, CancellationToken ct) =>
        (await SelectAsync(
            transaction,
            "WHERE installation_id = @installationId AND cluster_id = @clusterId AND delete_time IS NULL",
            new { installationId, clusterId }, ct))
        .SingleOrDefault();

    /// <summary>
    /// The epoch that a new row begins with: above those of every earlier row of the installation, because whoever
    /// holds its credentials is known by that number.
    /// </summary>
    public static Task<long> FirstEpochAsync(
        DatabaseTransaction transaction, string installationId, CancellationToken ct) =>
        transaction.Connection.ExecuteScalarAsync<long>(new CommandDefinition(
            "SELECT coalesce(max(epoch) + 1, 0) FROM cluster_installations WHERE installation_id = @installationId",
            new { installationId }, transaction.Transaction, cancellationToken: ct));

    /// <summary>Those of a cluster that are at rest as wanted: what is compared with the cluster's real
    /// objects.</summary>
    public Task<IReadOnlyList<ClusterInstallation>> StableAsync(string clusterId, CancellationToken ct) =>
        SelectAsync(
            "WHERE cluster_id = @clusterId AND state = 'stable' AND delete_time IS NULL", new { clusterId }, ct);

    /// <summary>Ids of those of a cluster that somebody works on, to be told that it answers again.</summary>
    public Task<IReadOnlyList<string>> UnderWayAsync(string clusterId, CancellationToken ct) =>
        Database.InTransactionAsync((transaction, token) => UnderWayAsync(transaction, clusterId, token), ct);

    /// <summary>As above, in the transaction that forgets the cluster.</summary>
    public static async Task<IReadOnlyList<string>> UnderWayAsync(
        DatabaseTransaction transaction, string clusterId, CancellationToken ct) =>
        [.. await transaction.Connection.QueryAsync<string>(new CommandDefinition(
            "SELECT id FROM cluster_installations WHERE cluster_id = @clusterId AND next_attempt_at IS NOT NULL",
            new { clusterId }, transaction.Transaction, cancellationToken: ct))];

    /// <summary>
    /// Whether a row is still as it was claimed: nobody took it over, no request moved it. If so it is begun from here
    /// on: something of it may be in its cluster, so no other cluster is chosen for it. The mark is no part of the
    /// record, so that no save of a row that was read before takes it back.
    /// </summary>
    public async Task<bool> BeginAsync(ClusterInstallation row, CancellationToken ct)
    {
        await using var connection = await Database.OpenAsync(ct);
        return await connection.ExecuteAsync(new CommandDefinition(
            "UPDATE cluster_installations SET begun = true WHERE id = @Id AND version = @Version AND epoch = @Epoch",
            new { row.Id, row.Version, row.Epoch }, cancellationToken: ct)) == 1;
    }

    /// <summary>Whether something of it may be in its cluster; once a request has moved the row, nobody who read it
    /// before begins any more.</summary>
    public Task<bool> IsBegunAsync(string id, CancellationToken ct) =>
        Database.InTransactionAsync((transaction, token) => IsBegunAsync(transaction, id, token), ct);

    /// <summary>Whether something of it may be in its cluster. Nobody begins it until the transaction ends.</summary>
    public static Task<bool> IsBegunAsync(DatabaseTransaction transaction, string id, CancellationToken ct) =>
        transaction.Connection.ExecuteScalarAsync<bool>(new CommandDefinition(
            "SELECT begun FROM cluster_installations WHERE id = @id FOR UPDATE",
            new { id }, transaction.Transaction, cancellationToken: ct));

    /// <summary>
    /// The cluster shows something else than what a row at rest says: work on it begins again. Whoever comes second
    /// finds it moved and changes nothing.
    /// </summary>
    /// <param name="rewrite">Its objects have to be written again, not only to be followed.</param>
    public Task<ClusterInstallation?> ReopenAsync(
        ClusterInstallation seen, bool rewrite, string why, CancellationToken ct) =>
        Database.InTransactionAsync((transaction, token) => ChangeAsync(
            transaction,
            seen.Id,
            row => row.State == Stable && row.Version == seen.Version
                ? row with { State = Reconciling, AppliedGeneration = rewrite ? 0 : row.AppliedGeneration }
                : row,
            why,
            token), ct);

    /// <inheritdoc/>
    protected override ClusterInstallation Stamp(ClusterInstallation row, DateTimeOffset now) =>
        row with { UpdateTime = now };

    /// <inheritdoc/>
    protected override ResourceEvent EventFor(
        ClusterInstallation? before, ClusterInstallation after, ResourceEvent draft) => draft with
    {
        Parent = ClusterInstallationMessages.InstallationNameOf(after.InstallationId),
        Snapshot = ClusterInstallationMessages.Of(after).ToByteArray(),
        // Who watches one cluster sees it leave.
        SnapshotBefore = before is not null && before.ClusterId != after.ClusterId
            ? ClusterInstallationMessages.Of(before).ToByteArray()
            : null,
        // The installation waits for the end of what was asked, not for the way there.
        Nudges = after.NextAttemptAt is null
            ? [new Nudge(PlacementStore.InstallationNoun, after.InstallationId)]
            : [],
    };
}
