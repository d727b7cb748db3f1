using System.Data.Common;
using System.Globalization;
using Cloud.ServiceDefaults.Storage;
using Cloud.Webhooks;
using Dapper;
using NpgsqlTypes;

namespace Cloud.Events;

/// <summary>
/// Takes the sources' outboxes in. Holds the lock of the one row of <c>feed</c> until it commits: sequences therefore
/// become visible in their order and without gaps, whichever replica takes in. That bounds taking in to one batch at a
/// time, which is far more than the changes of a fleet of ten thousand need.
/// <para>Exactly once: a source hands in its own numbers, which have no gaps. What is known is skipped; a gap is
/// refused with the number to send from; a gap that the source itself can no longer fill is taken, after an event
/// <c>events-lost</c>.</para>
/// <para>A source that was restored from an older backup gives numbers out again. Nothing in it knows: it is found
/// here, by a known number that comes with another change. From there on its events are of its next generation, after
/// an event <c>source-restored</c>, and what the fleet's current states owe to the lost history is taken back.</para>
/// </summary>
public sealed class EventIngestionStore(
    Database database,
    WebhookStore webhooks,
    FeedMeter meter,
    TimeProvider time,
    ILogger<EventIngestionStore> log)
{
    /// <summary>PostgreSQL channel that wakes every replica's watchers when the feed has grown.</summary>
    public const string Channel = "metrics_feed";

    /// <summary>In the order in which <see cref="InsertAsync"/> writes.</summary>
    private const string Columns =
        "sequence, source, source_generation, source_sequence, resource_type, resource, installation, type, old_state, "
        + "new_state, reason, error_code, actor, request_id, trace_id, resource_version, occurred_at, taken_in_at";

    private static readonly string RepeatedSql =
        $"""
        SELECT DISTINCT ON (source_sequence) {RowMap<RecordedEvent>.ColumnList} FROM events
         WHERE source = @Source AND source_sequence BETWEEN @first AND @known AND resource_type <> 'source'
         ORDER BY source_sequence, source_generation DESC
        """;

    /// <summary>The last event of each resource in the batch says where that resource stands. They are handed over
    /// rather than read back: while a feed grows fast PostgreSQL knows too little of it to find a batch by
    /// index.</summary>
    private const string UpdateFleetSql = """
        INSERT INTO fleet (resource, resource_type, installation, state, resource_version, source, changed_at)
        SELECT resource, resource_type, installation, state, resource_version, @source, changed_at
          FROM unnest(@resources, @types, @installations, @states, @versions, @times)
            AS e (resource, resource_type, installation, state, resource_version, changed_at)
        ON CONFLICT (resource) DO UPDATE
           SET state = excluded.state, resource_version = excluded.resource_version,
               installation = excluded.installation, changed_at = excluded.changed_at
        """;

    private const string ForgetDeletedSql = "DELETE FROM fleet WHERE resource = ANY(@gone)";

    /// <summary>Resources that the lost history touched stand where the events before it left them.</summary>
    private const string TakeBackSql = """
        DELETE FROM fleet WHERE resource IN (
            SELECT resource FROM events
             WHERE source = @source AND source_generation = @generation AND source_sequence >= @from);
        INSERT INTO fleet (resource, resource_type, installation, state, resource_version, source, changed_at)
        SELECT before.* FROM (
            SELECT DISTINCT resource FROM events
             WHERE source = @source AND source_generation = @generation AND source_sequence >= @from) AS touched
          CROSS JOIN LATERAL (
            SELECT resource, resource_type, installation, new_state, resource_version, source, occurred_at FROM events
             WHERE resource = touched.resource AND new_state <> ''
               AND NOT (source = @source AND source_generation = @generation AND source_sequence >= @from)
             ORDER BY sequence DESC LIMIT 1) AS before
         WHERE before.new_state <> 'deleted';
        """;

    private const string AdvanceSql = """
        UPDATE feed SET last_sequence = @last;
        INSERT INTO sources (source, generation, source_sequence, occurred_at)
        VALUES (@source, @generation, @sequence, @occurredAt)
        ON CONFLICT (source) DO UPDATE
           SET generation = excluded.generation, source_sequence = excluded.source_sequence,
               occurred_at = excluded.occurred_at;
        SELECT pg_notify(@channel, '');
        """;

    /// <summary>Takes a source's events in, which must be in the order of their source sequence and without gaps among
    /// themselves.</summary>
    /// <param name="prunedThrough">Up to here the source no longer has any.</param>
    /// <returns>How far the source's history is known afterwards.</returns>
    /// <exception cref="SequenceGapException">They do not continue what is known.</exception>
    public async Task<SourceHistory> AppendAsync(
        string source, IReadOnlyList<RecordedEvent> events, long prunedThrough, CancellationToken ct)
    {
        var (known, taken) = await database.InTransactionAsync(
            async (tx, token) =>
            {
                var outcome = await AppendAsync(tx, source, events, prunedThrough, token);
                await webhooks.WakeAsync(tx, outcome.Taken, token);
                return outcome;
            },
            ct);
        foreach (var notice in taken.Where(e => e.ResourceType == "source"))
        {
            log.LogWarning("Recording {Type} of source {Source}: {Reason}", notice.Type, source, notice.Reason);
        }

        meter.TakenIn(source, taken, time.GetUtcNow());
        return known;
    }

    private static async Task<(SourceHistory Known, IReadOnlyList<RecordedEvent> Taken)> AppendAsync(
        DatabaseTransaction tx, string source, IReadOnlyList<RecordedEvent> events, long prunedThrough,
        CancellationToken ct)
    {
        var last = await tx.Connection.QuerySingleAsync<long>(new CommandDefinition(
            "SELECT last_sequence FROM feed FOR UPDATE", transaction: tx.Transaction, cancellationToken: ct));
        var known = await KnownAsync(tx, source, ct);
        var taken = new List<RecordedEvent>();
        if (await FirstReusedAsync(tx, known, events, ct) is { } from)
        {
            await tx.Connection.ExecuteAsync(new CommandDefinition(
                TakeBackSql, new { source, generation = known.Generation, from }, tx.Transaction,
                cancellationToken: ct));
            var why = string.Create(
                CultureInfo.InvariantCulture,
                $"restored from an older backup: its events {from} to {known.Sequence} tell of what is no longer so");
            known = known with { Generation = known.Generation + 1, Sequence = from - 1 };
            taken.Add(RecordedEvent.About(known, EventTypes.SourceRestored, why, tx.Now));
        }

        var fresh = events.Where(e => e.SourceSequence > known.Sequence).ToList();
        if (fresh.Count == 0)
        {
            return (known, taken);
        }

        var missing = fresh[0].SourceSequence - known.Sequence - 1;
        if (missing > 0)
        {
            // What the source itself no longer has can never come: better a hole than a feed that stands still.
            if (fresh[0].SourceSequence > prunedThrough + 1)
            {
                throw new SequenceGapException(known.Sequence + 1);
            }

            var why = string.Create(
                CultureInfo.InvariantCulture,
                $"it no longer has its events {known.Sequence + 1} to {known.Sequence + missing}");
            known = known with { Sequence = known.Sequence + missing };
            taken.Add(RecordedEvent.About(known, EventTypes.EventsLost, why, tx.Now));
        }

        taken.AddRange(fresh.Select(e => e with { SourceGeneration = known.Generation }));
        await InsertAsync(tx, last, taken, ct);
        await UpdateFleetAsync(tx, source, taken, ct);
        known = known with { Sequence = fresh[^1].SourceSequence, OccurredAt = fresh[^1].OccurredAt };
        await AdvanceAsync(tx, last + taken.Count, known, ct);
        return (known, taken);
    }

    private static async Task<SourceHistory> KnownAsync(DatabaseTransaction tx, string source, CancellationToken ct)
    {
        var rows = await tx.Connection.QueryAsync<(long Generation, long Sequence, DateTime OccurredAt)>(
            new CommandDefinition(
                "SELECT generation, source_sequence, occurred_at FROM sources WHERE source = @source",
                new { source },
                tx.Transaction,
                cancellationToken: ct));
        return rows.Select(row => new SourceHistory(source, row.Generation, row.Sequence, row.OccurredAt))
            .SingleOrDefault(new SourceHistory(source, 1, 0, DateTimeOffset.MinValue));
    }

    /// <summary>The first known number that comes with another change than it stands for; null when all known ones are
    /// repetitions. Of one that is no longer kept, being younger than all that is known gives it away.</summary>
    private static async Task<long?> FirstReusedAsync(
        DatabaseTransaction tx, SourceHistory known, IReadOnlyList<RecordedEvent> events, CancellationToken ct)
    {
        var repeated = events.Where(e => e.SourceSequence <= known.Sequence).ToList();
        if (repeated.Count == 0)
        {
            return null;
        }

        await using var rows = (DbDataReader)await tx.Connection.ExecuteReaderAsync(
            new CommandDefinition(
                RepeatedSql,
                new { known.Source, first = repeated[0].SourceSequence, known = known.Sequence },
                tx.Transaction,
                cancellationToken: ct));
        var kept = (await RowMap<RecordedEvent>.ReadAllAsync(rows, ct)).ToDictionary(e => e.SourceSequence);
        return repeated.FirstOrDefault(e => kept.TryGetValue(e.SourceSequence, out var earlier)
            ? !e.IsSameAs(earlier)
            : e.OccurredAt > known.OccurredAt)?.SourceSequence;
    }

    private static async Task InsertAsync(
        DatabaseTransaction tx, long last, IReadOnlyList<RecordedEvent> events, CancellationToken ct)
    {
        await using var rows = await tx.Connection.BeginBinaryImportAsync(
            $"COPY events ({Columns}) FROM STDIN (FORMAT binary)", ct);
        foreach (var e in events)
        {
            await rows.StartRowAsync(ct);
            await rows.WriteAsync(++last, NpgsqlDbType.Bigint, ct);
            await rows.WriteAsync(e.Source, NpgsqlDbType.Text, ct);
            await rows.WriteAsync(e.SourceGeneration, NpgsqlDbType.Bigint, ct);
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

    private static async Task UpdateFleetAsync(
        DatabaseTransaction tx, string source, IEnumerable<RecordedEvent> taken, CancellationToken ct)
    {
        var latest = new Dictionary<string, RecordedEvent>(StringComparer.Ordinal);
        foreach (var e in taken.Where(e => e.NewState.Length > 0))
        {
            latest[e.Resource] = e;
        }

        var gone = latest.Values.Where(e => e.NewState == EventTypes.Deleted).Select(e => e.Resource).ToArray();
        if (gone.Length > 0)
        {
            await tx.Connection.ExecuteAsync(new CommandDefinition(
                ForgetDeletedSql, new { gone }, tx.Transaction, cancellationToken: ct));
        }

        var standing = latest.Values.Where(e => e.NewState != EventTypes.Deleted).ToArray();
        if (standing.Length > 0)
        {
            await tx.Connection.ExecuteAsync(new CommandDefinition(
                UpdateFleetSql,
                new
                {
                    source,
                    resources = Array.ConvertAll(standing, e => e.Resource),
                    types = Array.ConvertAll(standing, e => e.ResourceType),
                    installations = Array.ConvertAll(standing, e => e.Installation),
                    states = Array.ConvertAll(standing, e => e.NewState),
                    versions = Array.ConvertAll(standing, e => e.ResourceVersion),
                    times = Array.ConvertAll(standing, e => e.OccurredAt.ToUniversalTime()),
                },
                tx.Transaction,
                cancellationToken: ct));
        }
    }

    private static Task<int> AdvanceAsync(
        DatabaseTransaction tx, long last, SourceHistory known, CancellationToken ct) =>
        tx.Connection.ExecuteAsync(new CommandDefinition(
            AdvanceSql,
            new
            {
                last,
                source = known.Source,
                generation = known.Generation,
                sequence = known.Sequence,
                occurredAt = known.OccurredAt.ToUniversalTime(),
                channel = Channel,
            },
            tx.Transaction,
            cancellationToken: ct));
}

/// <summary>How far a source's history is known.</summary>
/// <param name="Generation">1, and 1 more whenever the source was restored from an older backup.</param>
/// <param name="Sequence">The newest of its numbers; 0 before the first.</param>
/// <param name="OccurredAt">When that was committed there.</param>
public sealed record SourceHistory(string Source, long Generation, long Sequence, DateTimeOffset OccurredAt);

/// <summary>Events were handed in that do not continue what is known of their source.</summary>
/// <param name="expected">The source sequence to send from.</param>
public sealed class SequenceGapException(long expected)
    : Exception($"The next event of this source must be number {expected.ToString(CultureInfo.InvariantCulture)}.")
{
    /// <summary>The source sequence to send from.</summary>
    public long Expected => expected;
}
