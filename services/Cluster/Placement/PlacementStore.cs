using System.Data.Common;
using Dapper;
using Npgsql;

namespace Cloud.Placement;

/// <summary>
/// All SQL of placement: reservations, who waits for room, and the highest epoch seen per installation.
/// <para>Decisions are taken one after the other, under one advisory lock per schema, held until their transaction
/// ends. A decision therefore sees every reservation that was decided before it, summed up by cluster, and a burst can
/// never take the same room twice. A decision is a few milliseconds of reading and arithmetic, so one lock for all
/// clusters is enough for hundreds of placements per second; releasing room needs no lock, because too little room is
/// the safe error.</para>
/// </summary>
public sealed class PlacementStore(Database database)
{
    /// <summary>Most installations that are told at once when there is room. Each of them that has asked again, with or
    /// without success, passes it on to the next, until all who waited then were told once.</summary>
    public const int ToldAtOnceMax = 50;

    /// <summary>Noun of the installation service's nudges.</summary>
    public const string InstallationNoun = "installation";

    private const string LockSql = "SELECT pg_advisory_xact_lock(hashtext('placement'), hashtext(current_schema()))";

    private static readonly string SelectReservation = $"SELECT {RowMap<Reservation>.ColumnList} FROM reservations ";

    /// <summary>Kept by a trigger on reservations.</summary>
    private const string SelectReserved =
        "SELECT cluster_id, cpu_millis, memory_bytes, pods, installations, isolated FROM reserved ";

    /// <summary>Waits for its turn to decide. Nobody else decides until this transaction ends.</summary>
    public static async Task LockAsync(DatabaseTransaction transaction, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(LockSql, transaction.Connection, transaction.Transaction);
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>
    /// Remembers the epoch of a request about an installation. Requests about the same installation take turns from
    /// here to the end of their transactions.
    /// </summary>
    /// <returns>Null when it is in order; the highest one seen when this one is older.</returns>
    public static async Task<long?> RaiseEpochAsync(
        DatabaseTransaction transaction, string installationId, long epoch, CancellationToken ct)
    {
        var highest = await transaction.Connection.ExecuteScalarAsync<long>(new CommandDefinition(
            """
            INSERT INTO installation_epochs AS seen (installation_id, epoch) VALUES (@installationId, @epoch)
            ON CONFLICT (installation_id) DO UPDATE SET epoch = GREATEST(seen.epoch, excluded.epoch)
            RETURNING epoch
            """,
            new { installationId, epoch }, transaction.Transaction, cancellationToken: ct));
        return highest > epoch ? highest : null;
    }

    /// <summary>The reservation of an installation, if it has one.</summary>
    public static async Task<Reservation?> FindAsync(
        DatabaseTransaction transaction, string installationId, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(
            SelectReservation + "WHERE installation_id = $1", transaction.Connection, transaction.Transaction);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = installationId });
        return (await ReadAsync(command, ct)).SingleOrDefault();
    }

    /// <summary>What is reserved in each cluster, summed up.</summary>
    public static async Task<IReadOnlyDictionary<string, Reserved>> ReservedAsync(
        DatabaseTransaction transaction, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(SelectReserved, transaction.Connection, transaction.Transaction);
        return await ReadSumsAsync(command, ct);
    }

    /// <summary>As above, outside of a decision.</summary>
    public static async Task<IReadOnlyDictionary<string, Reserved>> ReservedAsync(
        NpgsqlConnection connection, IReadOnlyList<string> clusterIds, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(SelectReserved + "WHERE cluster_id = ANY ($1)", connection);
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. clusterIds] });
        return await ReadSumsAsync(command, ct);
    }

    /// <summary>The reservations of one cluster by namespace: what its pods are counted against.</summary>
    public async Task<IReadOnlyDictionary<string, Room>> ByNamespaceAsync(string clusterId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SelectReservation + "WHERE cluster_id = $1");
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = clusterId });
        return (await ReadAsync(command, ct)).ToDictionary(r => r.InstallationId, r => r.Room, StringComparer.Ordinal);
    }

    /// <summary>Reservations in the order in which they were made.</summary>
    /// <param name="clusterId">Empty for all.</param>
    /// <param name="after">Where the page before ended; null for the first.</param>
    public async Task<IReadOnlyList<Reservation>> ListAsync(
        string clusterId, PageKey? after, int limit, CancellationToken ct)
    {
        var conditions = new Conditions().Equal("cluster_id", clusterId).Page(after, limit, "installation_id");
        await using var connection = await database.OpenAsync(ct);
        await using var reader = (DbDataReader)await connection.ExecuteReaderAsync(new CommandDefinition(
            $"{SelectReservation}WHERE {conditions.Sql}", conditions.Values, cancellationToken: ct));
        return await RowMap<Reservation>.ReadAllAsync(reader, ct);
    }

    /// <summary>Keeps room; the installation does not wait for any longer.</summary>
    public static async Task ReserveAsync(
        DatabaseTransaction transaction, Reservation reservation, CancellationToken ct)
    {
        var columns = RowMap<Reservation>.Columns;
        var values = string.Join(", ", columns.Select((_, n) => $"${n + 1}"));
        await using var command = new NpgsqlCommand(
            $"INSERT INTO reservations ({RowMap<Reservation>.ColumnList}) VALUES ({values})",
            transaction.Connection, transaction.Transaction);
        for (var column = 0; column < columns.Count; column++)
            command.Parameters.Add(RowMap<Reservation>.Parameter(reservation, column));
        await command.ExecuteNonQueryAsync(ct);
        await ForgetWaitAsync(transaction, reservation.InstallationId, ct);
    }

    /// <summary>Keeps an installation's room in another cluster than before.</summary>
    public static async Task MoveAsync(
        DatabaseTransaction transaction, string installationId, string clusterId, string reason, CancellationToken ct)
    {
        await transaction.Connection.ExecuteAsync(new CommandDefinition(
            "UPDATE reservations SET cluster_id = @clusterId, reason = @reason WHERE installation_id = @installationId",
            new { installationId, clusterId, reason }, transaction.Transaction, cancellationToken: ct));
        await TellWaitingAsync(transaction, ct);
    }

    /// <summary>Changes what is kept for an installation, which does not wait for room any longer; what it gives back
    /// is told to those who do.</summary>
    public static async Task ResizeAsync(
        DatabaseTransaction transaction, string installationId, string size, Room room, CancellationToken ct)
    {
        var changed = await transaction.Connection.ExecuteAsync(new CommandDefinition(
            """
            UPDATE reservations SET size = @size, cpu_millis = @cpu, memory_bytes = @memory, pods = @pods
            WHERE installation_id = @installationId
              AND (size, cpu_millis, memory_bytes, pods) <> (@size, @cpu, @memory, @pods)
            """,
            new { installationId, size, cpu = room.CpuMillis, memory = room.MemoryBytes, pods = room.Pods },
            transaction.Transaction, cancellationToken: ct));
        await ForgetWaitAsync(transaction, installationId, ct);
        if (changed > 0) await TellWaitingAsync(transaction, ct);
    }

    /// <summary>Gives room back, and ends waiting for it.</summary>
    /// <param name="clusterId">Only room in this cluster; null for wherever it is.</param>
    public static async Task ReleaseAsync(
        DatabaseTransaction transaction, string installationId, string? clusterId, CancellationToken ct)
    {
        var released = await transaction.Connection.ExecuteAsync(new CommandDefinition(
            "DELETE FROM reservations WHERE installation_id = @installationId "
            + "AND (@clusterId::text IS NULL OR cluster_id = @clusterId)",
            new { installationId, clusterId }, transaction.Transaction, cancellationToken: ct));
        if (clusterId is null) await ForgetWaitAsync(transaction, installationId, ct);
        if (released > 0) await TellWaitingAsync(transaction, ct);
    }

    /// <summary>Remembers that an installation found no room; if it was told that there is some, the next one may fit
    /// where it did not.</summary>
    public static async Task WaitAsync(DatabaseTransaction transaction, string installationId, CancellationToken ct)
    {
        var toldAt = await transaction.Connection.ExecuteScalarAsync<DateTime>(new CommandDefinition(
            """
            INSERT INTO placement_waits AS waiting (installation_id, since) VALUES (@installationId, @now)
            ON CONFLICT (installation_id) DO UPDATE SET since = waiting.since RETURNING told_at
            """,
            new { installationId, now = transaction.Now }, transaction.Transaction, cancellationToken: ct));
        await TellWaitingAsync(transaction, toldAt, atOnce: 1, ct);
    }

    /// <summary>Nudges those who wait for room, once the transaction is committed: who was told longest ago first, of
    /// them who waits longest.</summary>
    public static Task TellWaitingAsync(DatabaseTransaction transaction, CancellationToken ct) =>
        TellWaitingAsync(transaction, transaction.Now.UtcDateTime, ToldAtOnceMax, ct);

    /// <summary>Tells those who were not told since a change of room.</summary>
    /// <param name="changedAt">When that was: who is told gets this as the time of it, so that all of one change are
    /// told once.</param>
    private static async Task TellWaitingAsync(
        DatabaseTransaction transaction, DateTime changedAt, int atOnce, CancellationToken ct)
    {
        if (changedAt == DateTime.MinValue) return; // never told, hence nothing to pass on
        var told = await transaction.Connection.QueryAsync<string>(new CommandDefinition(
            """
            UPDATE placement_waits SET told_at = @changedAt WHERE installation_id IN (
                SELECT installation_id FROM placement_waits WHERE told_at < @changedAt
                ORDER BY told_at, since LIMIT @atOnce FOR UPDATE SKIP LOCKED)
            RETURNING installation_id
            """,
            new { changedAt, atOnce }, transaction.Transaction, cancellationToken: ct));
        foreach (var id in told) transaction.NudgeAfterCommit(new Nudge(InstallationNoun, id));
    }

    /// <summary>As above, when what changed is not in a transaction of ours.</summary>
    public Task TellWaitingAsync(CancellationToken ct) => database.InTransactionAsync(TellWaitingAsync, ct);

    private static async Task ForgetWaitAsync(
        DatabaseTransaction transaction, string installationId, CancellationToken ct)
    {
        if (await transaction.Connection.ExecuteScalarAsync<DateTime?>(new CommandDefinition(
            "DELETE FROM placement_waits WHERE installation_id = @installationId RETURNING told_at",
            new { installationId }, transaction.Transaction, cancellationToken: ct)) is { } toldAt)
            await TellWaitingAsync(transaction, toldAt, atOnce: 1, ct);
    }

    private static async Task<IReadOnlyDictionary<string, Reserved>> ReadSumsAsync(
        NpgsqlCommand command, CancellationToken ct)
    {
        await using var reader = await command.ExecuteReaderAsync(ct);
        var sums = new Dictionary<string, Reserved>(StringComparer.Ordinal);
        while (await reader.ReadAsync(ct))
            sums[reader.GetString(0)] = new Reserved(
                new Room(reader.GetInt64(1), reader.GetInt64(2), reader.GetInt32(3)),
                reader.GetInt32(4), reader.GetInt32(5));
        return sums;
    }

    private static async Task<IReadOnlyList<Reservation>> ReadAsync(NpgsqlCommand command, CancellationToken ct)
    {
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await RowMap<Reservation>.ReadAllAsync(reader, ct);
    }
}

/// <summary>What is reserved in a cluster.</summary>
/// <param name="Installations">By how many installations.</param>
/// <param name="Isolated">How many of them want the cluster for themselves.</param>
public sealed record Reserved(Room Room, int Installations, int Isolated)
{
    public static readonly Reserved Nothing = new(default, 0, 0);
}
