using Npgsql;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>The SQL of the outbox's keeping: numbering, reading, marking, pruning.</summary>
internal sealed class OutboxStore(NpgsqlDataSource source)
{
    /// <summary>Events numbered by one statement.</summary>
    public const int NumberedAtOnceMax = 1000;

    private const string NumberLockSql =
        "SELECT pg_advisory_xact_lock(hashtext('outbox-numbering'), hashtext(current_schema()))";

    private const string NumberSql =
        """
        WITH unnumbered AS (
            SELECT position, row_number() OVER (ORDER BY position) AS n
            FROM (SELECT position FROM outbox WHERE sequence IS NULL ORDER BY position LIMIT $1) AS next
        ), progress AS (
            UPDATE outbox_progress SET last_sequence = last_sequence + (SELECT count(*) FROM unnumbered)
            WHERE EXISTS (SELECT FROM unnumbered)
            RETURNING last_sequence - (SELECT count(*) FROM unnumbered) AS before
        )
        UPDATE outbox SET sequence = progress.before + unnumbered.n
        FROM unnumbered, progress WHERE outbox.position = unnumbered.position
        RETURNING outbox.resource_type, NULLIF(outbox.parent, outbox.resource), outbox.new_state, outbox.occurred_at
        """;

    private const string ReadSql =
        $"SELECT {StoredEvent.Columns} FROM outbox WHERE sequence > $1 ORDER BY sequence LIMIT $2";

    /// <summary>Events and progress in one statement, hence of one moment: nothing can be pruned in between.</summary>
    private const string ReadTypeSql =
        $"""
        SELECT progress.last_sequence, progress.pruned_through, progress.generation, event.*
        FROM outbox_progress AS progress
        LEFT JOIN LATERAL (
            SELECT {StoredEvent.Columns} FROM outbox
            WHERE sequence > $1 AND resource_type = $2 ORDER BY sequence LIMIT $3) AS event ON true
        ORDER BY event.sequence
        """;

    private const string ProgressSql =
        "SELECT last_sequence, delivered_through, pruned_through, generation FROM outbox_progress";

    private const string MarkSql =
        "UPDATE outbox_progress SET delivered_through = GREATEST(delivered_through, $1) WHERE delivered_through < $1";

    private const string RewindSql = "UPDATE outbox_progress SET delivered_through = $1 WHERE delivered_through > $1";

    private const string GenerationSql = "UPDATE outbox_progress SET generation = $1 WHERE generation <> $1";

    /// <summary>Looks at the oldest only, whatever their age. Leaves to another process what it deletes just now: two
    /// that delete the same rows in different orders would end in a deadlock.</summary>
    private const string PruneSql =
        """
        WITH oldest AS (
            SELECT position, occurred_at FROM outbox
            WHERE sequence <= LEAST($1, (SELECT last_sequence FROM outbox_progress) - $2)
            ORDER BY sequence LIMIT $4
        ), old AS (
            SELECT outbox.position, outbox.sequence FROM oldest JOIN outbox ON outbox.position = oldest.position
            WHERE oldest.occurred_at < $3 FOR UPDATE OF outbox SKIP LOCKED
        ), gone AS (
            DELETE FROM outbox USING old WHERE outbox.position = old.position RETURNING outbox.sequence
        ), marked AS (
            UPDATE outbox_progress SET pruned_through = GREATEST(pruned_through, (SELECT max(sequence) FROM gone))
            WHERE EXISTS (SELECT FROM gone)
        )
        SELECT count(*) FROM gone
        """;

    /// <summary>As above.</summary>
    private const string ForgetRequestsSql =
        """
        WITH old AS (
            SELECT method, request_id FROM request_ledger
            WHERE created_at < $1 ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
        )
        DELETE FROM request_ledger USING old
        WHERE request_ledger.method = old.method AND request_ledger.request_id = old.request_id
        """;

    /// <summary>Numbers what was committed since, in one round trip; processes take turns on a lock. Within a pass the
    /// order is that of writing, and what a pass does not see yet comes after all it saw; the rows of one resource are
    /// written one after the other, so their order is kept.</summary>
    /// <returns>What was numbered.</returns>
    public async Task<Numbered> NumberAsync(CancellationToken ct)
    {
        await using var connection = await source.OpenConnectionAsync(ct);
        // One batch is one transaction, and each statement of it sees what was committed before that statement began.
        var number = new NpgsqlBatchCommand(NumberSql);
        number.Parameters.Add(new NpgsqlParameter<int> { TypedValue = NumberedAtOnceMax });
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands = { new NpgsqlBatchCommand(NumberLockSql), number },
        };
        await using var reader = await batch.ExecuteReaderAsync(ct);
        await reader.NextResultAsync(ct);
        var count = 0;
        var types = new HashSet<string>(StringComparer.Ordinal);
        var served = new List<ServedParent>();
        while (await reader.ReadAsync(ct))
        {
            count++;
            types.Add(reader.GetString(0));
            if (!await reader.IsDBNullAsync(1, ct))
            {
                served.Add(await ReadServedAsync(reader, ct));
            }
        }

        return new Numbered(count, types, served);
    }

    /// <summary>Events after a sequence, in order.</summary>
    public async Task<IReadOnlyList<StoredEvent>> ReadAsync(long after, int max, CancellationToken ct)
    {
        await using var command = source.CreateCommand(ReadSql);
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = after });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = max });
        await using var reader = await command.ExecuteReaderAsync(ct);
        var events = new List<StoredEvent>();
        while (await reader.ReadAsync(ct))
        {
            events.Add(StoredEvent.Read(reader, 0));
        }

        return events;
    }

    /// <summary>Events of one resource type after a sequence, and how far the feed was numbered and pruned
    /// then.</summary>
    public async Task<(OutboxProgress Progress, IReadOnlyList<StoredEvent> Events)> ReadAsync(
        string resourceType, long after, int max, CancellationToken ct)
    {
        await using var command = source.CreateCommand(ReadTypeSql);
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = after });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = resourceType });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = max });
        await using var reader = await command.ExecuteReaderAsync(ct);
        var events = new List<StoredEvent>();
        var progress = default(OutboxProgress);
        while (await reader.ReadAsync(ct))
        {
            progress = new OutboxProgress(reader.GetInt64(0), 0, reader.GetInt64(1), reader.GetInt64(2));
            if (!await reader.IsDBNullAsync(3, ct))
            {
                events.Add(StoredEvent.Read(reader, 3));
            }
        }

        return (progress, events);
    }

    /// <summary>How far it is numbered, delivered and pruned.</summary>
    public async Task<OutboxProgress> ProgressAsync(CancellationToken ct)
    {
        await using var command = source.CreateCommand(ProgressSql);
        await using var reader = await command.ExecuteReaderAsync(ct);
        await reader.ReadAsync(ct);
        return new OutboxProgress(reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3));
    }

    /// <summary>Waits for this process's turn to deliver.</summary>
    public Task<AdvisoryTurn> DeliveryTurnAsync(CancellationToken ct) =>
        AdvisoryTurn.TakeAsync(source, "outbox-delivery", ct);

    /// <summary>Everything up to here was taken in by the feed.</summary>
    public Task MarkDeliveredAsync(long through, CancellationToken ct) => SetAsync(MarkSql, through, ct);

    /// <summary>The feed knows less than was believed: deliver again from there.</summary>
    public Task RewindAsync(long through, CancellationToken ct) => SetAsync(RewindSql, through, ct);

    /// <summary>The feed found that this database was restored: positions of before are of another history.</summary>
    public Task BeginGenerationAsync(long generation, CancellationToken ct) => SetAsync(GenerationSql, generation, ct);

    /// <summary>Deletes a bounded number of old events up to a sequence, the newest <paramref name="keptMin"/>
    /// never.</summary>
    public async Task<long> PruneAsync(
        long through, long keptMin, DateTimeOffset olderThan, int max, CancellationToken ct)
    {
        await using var command = source.CreateCommand(PruneSql);
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = through });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = keptMin });
        command.Parameters.Add(new NpgsqlParameter<DateTimeOffset> { TypedValue = olderThan });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = max });
        return (long)(await command.ExecuteScalarAsync(ct))!;
    }

    /// <summary>Deletes a bounded number of remembered requests.</summary>
    public async Task<int> ForgetRequestsAsync(DateTimeOffset olderThan, int max, CancellationToken ct)
    {
        await using var command = source.CreateCommand(ForgetRequestsSql);
        command.Parameters.Add(new NpgsqlParameter<DateTimeOffset> { TypedValue = olderThan });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = max });
        return await command.ExecuteNonQueryAsync(ct);
    }

    private static async Task<ServedParent> ReadServedAsync(NpgsqlDataReader reader, CancellationToken ct) => new(
        reader.GetString(1),
        reader.GetString(0),
        await reader.IsDBNullAsync(2, ct) ? null : reader.GetString(2),
        await reader.GetFieldValueAsync<DateTimeOffset>(3, ct));

    private async Task SetAsync(string sql, long through, CancellationToken ct)
    {
        await using var command = source.CreateCommand(sql);
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = through });
        await command.ExecuteNonQueryAsync(ct);
    }
}

/// <summary>What was numbered at once.</summary>
/// <param name="Types">Resource types of the events.</param>
/// <param name="Served">Those of the events that are of something which serves another resource.</param>
internal readonly record struct Numbered(
    int Count, IReadOnlySet<string> Types, IReadOnlyList<ServedParent> Served);

/// <summary>An event of something that serves another resource, its parent.</summary>
/// <param name="Parent">Resource name of the parent.</param>
/// <param name="ResourceType">Of what happened.</param>
/// <param name="NewState">Its state after that.</param>
internal readonly record struct ServedParent(
    string Parent, string ResourceType, string? NewState, DateTimeOffset OccurredAt);

/// <summary>How far the outbox is numbered, delivered and pruned, and of which history that is.</summary>
internal readonly record struct OutboxProgress(
    long LastSequence, long DeliveredThrough, long PrunedThrough, long Generation);
