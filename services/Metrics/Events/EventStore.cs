using System.Data.Common;
using System.Globalization;
using System.Text;
using Cloud.ServiceDefaults.Storage;
using Dapper;
using NpgsqlTypes;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Events;

/// <summary>
/// The feed's tables. Taking in holds the lock of the one row of <c>feed</c> until it commits: sequences therefore
/// become visible in their order and without gaps, whichever replica takes in. That bounds taking in to one batch at a
/// time, which is far more than the changes of a fleet of ten thousand need.
/// </summary>
public sealed class EventStore(Database database)
{
    /// <summary>PostgreSQL channel that wakes every replica's watchers when the feed has grown.</summary>
    public const string Channel = "metrics_feed";

    /// <summary>In the order in which <see cref="InsertAsync"/> writes.</summary>
    private const string Columns =
        "sequence, source, source_sequence, resource_type, resource, installation, type, old_state, new_state, reason, "
        + "error_code, actor, request_id, trace_id, resource_version, occurred_at, taken_in_at";

    /// <summary>The last event of each resource in the batch says where that resource stands.</summary>
    private const string UpdateFleetSql = """
        INSERT INTO fleet (resource, resource_type, installation, state, resource_version, source, changed_at)
        SELECT DISTINCT ON (resource)
               resource, resource_type, installation, new_state, resource_version, source, occurred_at
          FROM events WHERE sequence > @known AND new_state <> ''
         ORDER BY resource, sequence DESC
        ON CONFLICT (resource) DO UPDATE
           SET state = excluded.state, resource_version = excluded.resource_version,
               installation = excluded.installation, changed_at = excluded.changed_at;
        DELETE FROM fleet f USING events e
         WHERE e.sequence > @known AND e.resource = f.resource AND f.state = 'deleted';
        """;

    private const string AdvanceSql = """
        UPDATE feed SET last_sequence = @last;
        INSERT INTO sources (source, source_sequence, occurred_at) VALUES (@source, @sourceSequence, @occurredAt)
        ON CONFLICT (source) DO UPDATE
           SET source_sequence = excluded.source_sequence, occurred_at = excluded.occurred_at;
        SELECT pg_notify(@channel, '');
        """;

    /// <summary>How far the feed goes now.</summary>
    public async Task<FeedPosition> PositionAsync(CancellationToken ct)
    {
        await using var connection = await database.OpenAsync(ct);
        return await connection.QuerySingleAsync<FeedPosition>(new CommandDefinition(
            "SELECT last_sequence AS LastSequence, pruned_through AS PrunedThrough FROM feed", cancellationToken: ct));
    }

    /// <summary>
    /// Takes a source's events in, which must be in the order of their source sequence and without gaps among
    /// themselves. Known ones are skipped.
    /// </summary>
    /// <returns>The highest source sequence known afterwards.</returns>
    /// <exception cref="SequenceGapException">They do not continue what is known.</exception>
    public Task<long> AppendAsync(
        string source, IReadOnlyList<RecordedEvent> events, long prunedThrough, CancellationToken ct) =>
        database.InTransactionAsync(
            async (tx, token) =>
            {
                var last = await tx.Connection.QuerySingleAsync<long>(new CommandDefinition(
                    "SELECT last_sequence FROM feed FOR UPDATE",
                    transaction: tx.Transaction,
                    cancellationToken: token));
                var known = await tx.Connection.QuerySingleOrDefaultAsync<long>(new CommandDefinition(
                    "SELECT source_sequence FROM sources WHERE source = @source",
                    new { source },
                    tx.Transaction,
                    cancellationToken: token));
                var fresh = events.Where(e => e.SourceSequence > known).ToList();
                if (fresh.Count == 0)
                {
                    return known;
                }

                // What the source itself no longer has can never come: better a hole than a feed that stands still.
                var expected = Math.Max(known, prunedThrough) + 1;
                if (fresh[0].SourceSequence > expected)
                {
                    throw new SequenceGapException(known + 1);
                }

                await InsertAsync(tx, last, fresh, token);
                await tx.Connection.ExecuteAsync(new CommandDefinition(
                    UpdateFleetSql, new { known = last }, tx.Transaction, cancellationToken: token));
                await AdvanceAsync(tx, source, last + fresh.Count, fresh[^1], token);
                return fresh[^1].SourceSequence;
            },
            ct);

    /// <summary>A page of the feed before or after a sequence, which is not part of it.</summary>
    public async Task<IReadOnlyList<RecordedEvent>> ListAsync(
        Proto.EventFilter filter, bool ascending, long? beyond, int count, CancellationToken ct)
    {
        var parameters = new DynamicParameters();
        var where = Where(filter, parameters);
        if (beyond is { } sequence)
        {
            parameters.Add("beyond", sequence);
            where.Append(ascending ? " AND sequence > @beyond" : " AND sequence < @beyond");
        }

        parameters.Add("count", count);
        var order = ascending ? "ASC" : "DESC";
        return await QueryAsync($"{where} ORDER BY sequence {order} LIMIT @count", parameters, ct);
    }

    /// <summary>What matches after one sequence up to and with another, oldest first.</summary>
    public async Task<IReadOnlyList<RecordedEvent>> ReadAsync(
        Proto.EventFilter filter, long after, long through, int count, CancellationToken ct)
    {
        var parameters = new DynamicParameters();
        var where = Where(filter, parameters);
        parameters.Add("after", after);
        parameters.Add("through", through);
        parameters.Add("count", count);
        where.Append(" AND sequence > @after AND sequence <= @through ORDER BY sequence LIMIT @count");
        return await QueryAsync(where.ToString(), parameters, ct);
    }

    /// <summary>Lets events go that were taken in before a moment, the oldest first, at most so many.</summary>
    /// <returns>How many went.</returns>
    public Task<long> PruneAsync(DateTimeOffset before, int atMost, CancellationToken ct) =>
        database.InTransactionAsync(
            async (tx, token) =>
            {
                var position = await tx.Connection.QuerySingleAsync<FeedPosition>(new CommandDefinition(
                    "SELECT last_sequence AS LastSequence, pruned_through AS PrunedThrough FROM feed FOR UPDATE",
                    transaction: tx.Transaction,
                    cancellationToken: token));
                // Sequences and times of taking in grow together, so the first that is young enough ends it.
                var through = await tx.Connection.QuerySingleAsync<long>(new CommandDefinition(
                    """
                    SELECT coalesce(min(sequence) FILTER (WHERE taken_in_at >= @before) - 1, max(sequence), @from)
                      FROM (SELECT sequence, taken_in_at FROM events
                             WHERE sequence > @from ORDER BY sequence LIMIT @atMost) AS oldest
                    """,
                    new { before, from = position.PrunedThrough, atMost },
                    tx.Transaction,
                    cancellationToken: token));
                await tx.Connection.ExecuteAsync(new CommandDefinition(
                    "DELETE FROM events WHERE sequence <= @through; UPDATE feed SET pruned_through = @through",
                    new { through },
                    tx.Transaction,
                    cancellationToken: token));
                return through - position.PrunedThrough;
            },
            ct);

    private static StringBuilder Where(Proto.EventFilter filter, DynamicParameters parameters)
    {
        var where = new StringBuilder("true");
        Restrict("resource_type = ANY(@resourceTypes)", "resourceTypes", filter.ResourceTypes.ToArray());
        Restrict("type = ANY(@types)", "types", filter.Types_.ToArray());
        Restrict("resource = @resource", "resource", filter.Resource);
        // Said twice so that the planner knows that the partial index fits.
        Restrict("installation = @installation AND installation <> ''", "installation", filter.Installation);
        Restrict("source = @source", "source", filter.Source);
        return where;

        void Restrict(string clause, string name, object value)
        {
            if (value is string { Length: > 0 } or string[] { Length: > 0 })
            {
                where.Append(CultureInfo.InvariantCulture, $" AND {clause}");
                parameters.Add(name, value);
            }
        }
    }

    private static async Task InsertAsync(
        DatabaseTransaction tx, long last, List<RecordedEvent> fresh, CancellationToken ct)
    {
        await using var rows = await tx.Connection.BeginBinaryImportAsync(
            $"COPY events ({Columns}) FROM STDIN (FORMAT binary)", ct);
        foreach (var e in fresh)
        {
            await rows.StartRowAsync(ct);
            await rows.WriteAsync(++last, NpgsqlDbType.Bigint, ct);
            await rows.WriteAsync(e.Source, NpgsqlDbType.Text, ct);
            await rows.WriteAsync(e.SourceSequence, NpgsqlDbType.Bigint, ct);
            string[] texts =
            [
                e.ResourceType, e.Resource, e.Installation, e.Type, e.OldState, e.NewState, e.Reason, e.ErrorCode,
                e.Actor, e.RequestId, e.TraceId,
            ];
            foreach (var text in texts)
            {
                await rows.WriteAsync(text, NpgsqlDbType.Text, ct);
            }

            await rows.WriteAsync(e.ResourceVersion, NpgsqlDbType.Bigint, ct);
            await rows.WriteAsync(e.OccurredAt.ToUniversalTime(), NpgsqlDbType.TimestampTz, ct);
            await rows.WriteAsync(tx.Now.ToUniversalTime(), NpgsqlDbType.TimestampTz, ct);
        }

        await rows.CompleteAsync(ct);
    }

    private static Task<int> AdvanceAsync(
        DatabaseTransaction tx, string source, long last, RecordedEvent newest, CancellationToken ct) =>
        tx.Connection.ExecuteAsync(new CommandDefinition(
            AdvanceSql,
            new
            {
                last,
                source,
                sourceSequence = newest.SourceSequence,
                occurredAt = newest.OccurredAt.ToUniversalTime(),
                channel = Channel,
            },
            tx.Transaction,
            cancellationToken: ct));

    private async Task<IReadOnlyList<RecordedEvent>> QueryAsync(
        string where, DynamicParameters parameters, CancellationToken ct)
    {
        await using var connection = await database.OpenAsync(ct);
        await using var rows = (DbDataReader)await connection.ExecuteReaderAsync(new CommandDefinition(
            $"SELECT {RowMap<RecordedEvent>.ColumnList} FROM events WHERE {where}", parameters, cancellationToken: ct));
        return await RowMap<RecordedEvent>.ReadAllAsync(rows, ct);
    }
}

/// <summary>Events were handed in that do not continue what is known of their source.</summary>
/// <param name="expected">The source sequence to send from.</param>
public sealed class SequenceGapException(long expected)
    : Exception($"The next event of this source must be number {expected.ToString(CultureInfo.InvariantCulture)}.")
{
    /// <summary>The source sequence to send from.</summary>
    public long Expected => expected;
}
