using System.Data.Common;
using Cloud.ServiceDefaults.Storage;
using Dapper;

namespace Cloud.Events;

/// <summary>Reads the feed, and lets what is old go. <see cref="EventIngestionStore"/> writes it.</summary>
public sealed class EventStore(Database database)
{
    /// <summary>Comes after every other, and is in no name.</summary>
    private const string LastCharacter = "\U0010FFFF";

    /// <summary>What occurred from a moment on was taken in from then on, but for clocks that differ: where the feed
    /// was then, an index tells.</summary>
    private const string SequencesFrom =
        """
        sequence >= (SELECT sequence FROM events WHERE taken_in_at >= @start_time - interval '1 min'
                      ORDER BY taken_in_at, sequence LIMIT 1)
        """;

    /// <summary>What occurred before a moment was taken in within an hour after it, or is one of the late, after an
    /// outage, which have an index of their own (adding 0 keeps PostgreSQL from walking the feed backwards instead).
    /// </summary>
    private const string SequencesThrough =
        """
        sequence <= GREATEST(
            (SELECT sequence FROM events WHERE taken_in_at < @end_time + interval '1 hour'
              ORDER BY taken_in_at DESC, sequence DESC LIMIT 1),
            (SELECT max(sequence + 0) FROM events
              WHERE taken_in_at - occurred_at >= interval '1 hour' AND occurred_at < @end_time))
        """;

    /// <summary>How far the feed goes now.</summary>
    public async Task<FeedPosition> PositionAsync(CancellationToken ct)
    {
        await using var connection = await database.OpenAsync(ct);
        return await connection.QuerySingleAsync<FeedPosition>(new CommandDefinition(
            "SELECT last_sequence AS LastSequence, pruned_through AS PrunedThrough FROM feed", cancellationToken: ct));
    }

    /// <summary>A page of the feed before or after a sequence, which is not part of it.</summary>
    public Task<IReadOnlyList<RecordedEvent>> ListAsync(
        EventFilter filter, bool ascending, long? beyond, int count, CancellationToken ct) =>
        QueryAsync(
            ConditionsOf(filter).Add(ascending ? "sequence > @beyond" : "sequence < @beyond", "beyond", beyond),
            ascending ? "ASC" : "DESC",
            count,
            ct);

    /// <summary>What matches after one sequence up to and with another, oldest first.</summary>
    public Task<IReadOnlyList<RecordedEvent>> ReadAsync(
        EventFilter filter, long after, long through, int count, CancellationToken ct) =>
        QueryAsync(
            ConditionsOf(filter)
                .Add("sequence > @after", "after", after)
                .Add("sequence <= @through", "through", through),
            "ASC",
            count,
            ct);

    /// <summary>The events of some sequences, by sequence; those that are no longer kept are missing.</summary>
    public async Task<IReadOnlyDictionary<long, RecordedEvent>> FindAsync(long[] sequences, CancellationToken ct)
    {
        var found = await QueryAsync(
            new Conditions().Add("sequence = ANY (@sequences)", "sequences", sequences), "ASC", sequences.Length, ct);
        return found.ToDictionary(e => e.Sequence);
    }

    /// <summary>Lets events go that were taken in before a moment, and those by which there are more than may be kept:
    /// the oldest first, at most so many.</summary>
    /// <returns>How many went.</returns>
    public Task<long> PruneAsync(DateTimeOffset before, long keptMax, int atMost, CancellationToken ct) =>
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
                    SELECT coalesce(
                             min(sequence) FILTER (WHERE taken_in_at >= @before AND sequence > @surplus) - 1,
                             max(sequence), @from)
                      FROM (SELECT sequence, taken_in_at FROM events
                             WHERE sequence > @from ORDER BY sequence LIMIT @atMost) AS oldest
                    """,
                    new { before, from = position.PrunedThrough, surplus = position.LastSequence - keptMax, atMost },
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

    private static Conditions ConditionsOf(EventFilter filter)
    {
        var conditions = new Conditions()
            .AnyOf("resource_type", filter.ResourceTypes)
            .Equal("resource", filter.Resource)
            .Equal("installation", filter.Installation)
            .AnyOf("type", filter.Types)
            .AnyOf("new_state", filter.States)
            .Equal("source", filter.Source)
            .Equal("actor", filter.Actor)
            .Equal("request_id", filter.RequestId)
            .Equal("trace_id", filter.TraceId)
            .Add("occurred_at >= @start_time", "start_time", filter.StartTime?.UtcDateTime)
            .Add(SequencesFrom, "start_time", filter.StartTime?.UtcDateTime)
            .Add("occurred_at < @end_time", "end_time", filter.EndTime?.UtcDateTime)
            .Add(SequencesThrough, "end_time", filter.EndTime?.UtcDateTime);
        // Bounds in the order of bytes, which the index is in; LIKE would read the prefix as a pattern.
        if (filter.ResourcePrefix.Length > 0)
        {
            conditions.Add("resource ~>=~ @prefix", "prefix", filter.ResourcePrefix);
            conditions.Add("resource ~<~ @prefix_end", "prefix_end", filter.ResourcePrefix + LastCharacter);
        }

        // Said again so that the planner knows that the partial indexes fit.
        return conditions
            .AddUnless(filter.Installation.Length == 0, "installation <> ''")
            .AddUnless(filter.RequestId.Length == 0, "request_id <> ''")
            .AddUnless(filter.TraceId.Length == 0, "trace_id <> ''");
    }

    private async Task<IReadOnlyList<RecordedEvent>> QueryAsync(
        Conditions conditions, string order, int count, CancellationToken ct)
    {
        conditions.Values.Add("count", count);
        await using var connection = await database.OpenAsync(ct);
        await using var rows = (DbDataReader)await connection.ExecuteReaderAsync(new CommandDefinition(
            $"""
            SELECT {RowMap<RecordedEvent>.ColumnList} FROM events
             WHERE {conditions.Sql} ORDER BY sequence {order} LIMIT @count
            """,
            conditions.Values,
            cancellationToken: ct));
        return await RowMap<RecordedEvent>.ReadAllAsync(rows, ct);
    }
}
