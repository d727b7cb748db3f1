using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Dapper;
using Google.Protobuf;

namespace Cloud.LogicalDatabases;

/// <summary>Which logical databases a list is about; null ids do not restrict.</summary>
public sealed record LogicalDatabaseFilter(
    string? InstallationId, string? DatabaseServerId, IReadOnlyList<string> States, bool ShowDeleted);

/// <summary>All SQL of logical databases.</summary>
public sealed class LogicalDatabaseStore(Database database)
    : SupervisedStore<LogicalDatabase, LogicalDatabaseState>(
        database, "logical_databases", "logical_database", "logicalDatabases")
{
    /// <summary>Nudge and event noun of the installations that databases serve.</summary>
    private const string Installation = "installation";

    /// <summary>The live database of an installation.</summary>
    public async Task<LogicalDatabase?> FindLiveAsync(
        DatabaseTransaction tx, string installationId, CancellationToken ct) =>
        (await SelectAsync(
            tx, "WHERE installation_id = @installationId AND state <> 'deleted'", new { installationId }, ct))
        .SingleOrDefault();

    /// <summary>
    /// Notes the epoch that an installation asks with; false when a higher one has asked before. Those who ask for the
    /// same installation take turns from here to the end of their transactions.
    /// </summary>
    public async Task<bool> TakeEpochAsync(
        DatabaseTransaction tx, string installationId, long epoch, CancellationToken ct) =>
        await tx.Connection.ExecuteAsync(new CommandDefinition(
            """
            INSERT INTO installation_epochs (installation_id, epoch) VALUES (@installationId, @epoch)
            ON CONFLICT (installation_id) DO UPDATE SET epoch = excluded.epoch
             WHERE installation_epochs.epoch <= excluded.epoch
            """,
            new { installationId, epoch },
            tx.Transaction,
            cancellationToken: ct)) == 1;

    /// <summary>A page of logical databases, oldest first.</summary>
    public Task<IReadOnlyList<LogicalDatabase>> ListAsync(
        LogicalDatabaseFilter filter, PageKey? after, int count, CancellationToken ct) =>
        PageAsync(
            new Conditions()
                .Equal("installation_id", filter.InstallationId)
                .Equal("database_server_id", filter.DatabaseServerId)
                .InStates(filter.States)
                .AddUnless(filter.ShowDeleted || filter.States.Contains("deleted"), "state <> 'deleted'"),
            after,
            count,
            ct);

    /// <summary>Live databases on a server, in a transaction.</summary>
    public Task<IReadOnlyList<LogicalDatabase>> OnServerAsync(
        DatabaseTransaction tx, string serverId, CancellationToken ct) =>
        SelectAsync(
            tx, "WHERE database_server_id = @serverId AND state <> 'deleted' ORDER BY id", new { serverId }, ct);

    /// <summary>
    /// Whether a row is still as it was claimed: nobody took it over, no request moved it. If so it is begun from here
    /// on: something of it may be on its server, so no other server is chosen for it. The mark is no part of the
    /// record, so that no save of a row that was read before takes it back.
    /// </summary>
    public async Task<bool> BeginAsync(LogicalDatabase row, CancellationToken ct)
    {
        await using var connection = await Database.OpenAsync(ct);
        return await connection.ExecuteAsync(new CommandDefinition(
            "UPDATE logical_databases SET begun = true WHERE id = @Id AND version = @Version AND epoch = @Epoch",
            new { row.Id, row.Version, row.Epoch },
            cancellationToken: ct)) == 1;
    }

    /// <summary>Whether something of it may be on its server; once a request has moved the row, nobody who read it
    /// before begins any more.</summary>
    public Task<bool> IsBegunAsync(string id, CancellationToken ct) =>
        Database.InTransactionAsync((tx, token) => IsBegunAsync(tx, id, token), ct);

    /// <summary>Whether something of it may be on its server. Nobody begins it until the transaction ends.</summary>
    public static Task<bool> IsBegunAsync(DatabaseTransaction tx, string id, CancellationToken ct) =>
        tx.Connection.ExecuteScalarAsync<bool>(new CommandDefinition(
            "SELECT begun FROM logical_databases WHERE id = @id FOR UPDATE",
            new { id },
            tx.Transaction,
            cancellationToken: ct));

    /// <inheritdoc/>
    protected override LogicalDatabase Stamp(LogicalDatabase row, DateTimeOffset now) => row with { UpdateTime = now };

    /// <inheritdoc/>
    protected override ResourceEvent? EventFor(LogicalDatabase? before, LogicalDatabase after, ResourceEvent draft) =>
        draft with
        {
            Parent = after.Installation,
            Snapshot = after.ToProto().ToByteArray(),
            // Who watches one server sees it leave.
            SnapshotBefore = before is not null && before.DatabaseServerId != after.DatabaseServerId
                ? before.ToProto().ToByteArray()
                : null,
            // The installation waits for the end of what was asked, not for the way there.
            Nudges = after.NextAttemptAt is null ? [new Nudge(Installation, after.InstallationId)] : [],
        };
}
