using Npgsql;

namespace Cloud.ServiceDefaults.Supervision;

/// <summary>The statements of one supervised table, made once so that each is parsed and prepared once.</summary>
internal sealed class SupervisedSql<TRow, TState>
    where TRow : SupervisedRow<TState>
    where TState : struct, Enum
{
    /// <summary>Parameters before the columns in an update: id, version, epoch.</summary>
    private const int GuardCount = 3;

    private static readonly string[] NeverUpdated = ["id", "epoch"];

    private static readonly int[] Updated =
    [
        .. Enumerable.Range(0, RowMap<TRow>.Columns.Count)
            .Where(column => !NeverUpdated.Contains(RowMap<TRow>.Columns[column])),
    ];

    private readonly string _table;
    private readonly string _mine;

    public SupervisedSql(string table)
    {
        _table = table;
        var columns = RowMap<TRow>.ColumnList;
        Select = $"SELECT {columns} FROM {table} ";
        Find = Select + "WHERE id = $1";
        FindForUpdate = Find + " FOR UPDATE";
        var all = string.Join(", ", Enumerable.Range(1, RowMap<TRow>.Columns.Count).Select(n => $"${n}"));
        Insert = $"INSERT INTO {table} ({columns}) VALUES ({all})";

        var assignments = string.Join(
            ", ", Updated.Select((column, n) => $"{RowMap<TRow>.Columns[column]} = ${n + GuardCount + 1}"));
        Update = $"UPDATE {table} SET {assignments} WHERE id = $1 AND version = $2 AND epoch = $3";
        UpdateWithEvent =
            $"""
            WITH saved AS ({Update} RETURNING 1)
            INSERT INTO outbox ({Outbox.Columns})
            SELECT {Outbox.Placeholders(GuardCount + Updated.Length + 1)} FROM saved
            """;

        // Rows in states that this code does not know belong to newer replicas; they are left to them.
        var known = string.Join(", ", StateNames<TState>.All.Select(name => $"'{name}'"));
        _mine = $"next_attempt_at <= $1 AND (claimed_until IS NULL OR claimed_until <= $1) AND state IN ({known})";

        CountDue =
            $"""
            SELECT state, count(*), min(next_attempt_at) FROM {table}
            WHERE next_attempt_at <= $1 AND state IN ({known}) GROUP BY state
            """;

        Claim = ClaimOf(table, known);

        // $2 not before, $3 when the nudge was heard
        PullForward =
            $"""
            UPDATE {table} SET next_attempt_at = $2
            WHERE id = $1 AND attempts > 0 AND next_attempt_at > $2 AND (looked_at IS NULL OR looked_at <= $3)
            RETURNING next_attempt_at
            """;

        // $1 ids, $2 when each was nudged, $3 now
        Unanswered =
            $"""
            SELECT nudged.id, nudged.heard_at FROM unnest($1, $2) AS nudged (id, heard_at)
            JOIN {table} AS waiting ON waiting.id = nudged.id
            WHERE waiting.next_attempt_at > $3 AND (waiting.looked_at IS NULL OR waiting.looked_at <= nudged.heard_at)
            """;
        Release =
            $"""
            UPDATE {table} SET claimed_until = NULL, claimed_by = NULL,
              next_attempt_at = CASE WHEN next_attempt_at IS NULL THEN NULL ELSE LEAST(next_attempt_at, $3) END
            WHERE id = $1 AND epoch = $2
            """;
        SetAside = SetAsideOf(table);
        NextDue =
            $"""
            SELECT LEAST(
                (SELECT min(next_attempt_at) FROM {table} WHERE next_attempt_at > $1),
                (SELECT min(claimed_until) FROM {table} WHERE next_attempt_at <= $1 AND claimed_until > $1))
            """;
        WakeForgotten = $"UPDATE {table} SET next_attempt_at = $1 WHERE next_attempt_at IS NULL AND state = ANY ($2)";
    }

    public string Select { get; }

    public string Find { get; }

    public string FindForUpdate { get; }

    public string Insert { get; }

    public string Update { get; }

    public string UpdateWithEvent { get; }

    public string CountDue { get; }

    public string Claim { get; }

    public string PullForward { get; }

    public string Unanswered { get; }

    public string Release { get; }

    public string SetAside { get; }

    public string NextDue { get; }

    public string WakeForgotten { get; }

    /// <summary>$1 now, $2 busy ids, $3 limit, $4 keys that have no slot left (only with a key column).</summary>
    public string Due(string orderBy, string? keyColumn) =>
        $"""
        SELECT id, state, next_attempt_at, {keyColumn ?? "NULL"} FROM {_table}
        WHERE {_mine} AND id <> ALL ($2)
        {(keyColumn is null ? "" : $"AND ({keyColumn} IS NULL OR {keyColumn} <> ALL ($4))")}
        ORDER BY {orderBy} LIMIT $3
        """;

    public static void AddAll(NpgsqlParameterCollection parameters, TRow row)
    {
        for (var column = 0; column < RowMap<TRow>.Columns.Count; column++)
        {
            parameters.Add(RowMap<TRow>.Parameter(row, column));
        }
    }

    /// <summary>Parameters of <see cref="Update"/>: the row that must still be there, then the row to write.</summary>
    public static void AddUpdate(NpgsqlParameterCollection parameters, TRow before, TRow after)
    {
        parameters.Add(new NpgsqlParameter<string> { TypedValue = before.Id });
        parameters.Add(new NpgsqlParameter<long> { TypedValue = before.Version });
        parameters.Add(new NpgsqlParameter<long> { TypedValue = before.Epoch });
        foreach (var column in Updated)
        {
            parameters.Add(RowMap<TRow>.Parameter(after, column));
        }
    }

    /// <summary>$1 id, $2 now, $3 claimed until, $4 worker, $5 when a nudge was heard, $6 lease held. A row that waited
    /// and was nudged becomes due with its claim, so that a crash during the step does not lose the nudge.</summary>
    private static string ClaimOf(string table, string known) =>
        $"""
        UPDATE {table} SET epoch = epoch + 1, claimed_until = $3, claimed_by = $4, looked_at = $2,
          next_attempt_at = LEAST(next_attempt_at, $2)
        WHERE id = $1 AND state IN ({known})
          AND (next_attempt_at <= $2
            OR (next_attempt_at > $2 AND attempts = 0
              AND $5 IS NOT NULL AND (looked_at IS NULL OR looked_at <= $5)))
          AND ($6 OR claimed_until IS NULL OR claimed_until <= $2)
        RETURNING {RowMap<TRow>.ColumnList}
        """;

    /// <summary>$1 id, $2 now, $3 worker, $4 waits by failures in a row, $5 to $7 the failure.</summary>
    private static string SetAsideOf(string table) =>
        $"""
        UPDATE {table} SET attempts = attempts + 1, claimed_until = NULL, claimed_by = NULL,
          next_attempt_at = $2 + ($4)[LEAST(attempts + 1, array_length($4, 1))],
          last_error_code = $5, last_error = $6, last_error_fault = $7
        WHERE id = $1 AND next_attempt_at IS NOT NULL
          AND (claimed_until IS NULL OR claimed_until <= $2 OR claimed_by = $3)
        RETURNING next_attempt_at
        """;

    public NpgsqlBatchCommand UpdateCommand(TRow before, TRow after)
    {
        var command = new NpgsqlBatchCommand(Update);
        AddUpdate(command.Parameters, before, after);
        return command;
    }
}

/// <summary>What to look for among due rows.</summary>
/// <param name="OrderBy">SQL: who goes first.</param>
/// <param name="BusyIds">Rows this process has in hand already.</param>
/// <param name="KeyColumn">Column of the bulkhead key, if there is one.</param>
/// <param name="FullKeys">Keys whose slots are all taken.</param>
internal sealed record DueQuery(
    string OrderBy, IReadOnlyList<string> BusyIds, string? KeyColumn, IReadOnlyList<string> FullKeys, int RowsMax);

/// <summary>A row that is due: who it is, and what decides whose turn it is.</summary>
internal readonly record struct DueRow<TState>(string Id, TState State, DateTimeOffset NextAttemptAt, string? Key);

/// <summary>On what terms a row is claimed.</summary>
/// <param name="Worker">Who claims.</param>
/// <param name="For">How long the claim counts without a lease.</param>
/// <param name="HeardAt">When somebody nudged it: a row that waits and was not looked at since may be looked at before
/// its time.</param>
/// <param name="LeaseHeld">Whether the lease in Redis is held, which makes an older claim void.</param>
internal readonly record struct ClaimTerms(string Worker, TimeSpan For, DateTimeOffset? HeardAt, bool LeaseHeld);

/// <summary>What came of a step, ready to be written.</summary>
/// <param name="After">The row as it shall be.</param>
/// <param name="Why">The reason, for the event.</param>
/// <param name="Tell">Whether it is an event.</param>
/// <param name="Also">Other writes of the same transaction.</param>
internal sealed record Transition<TRow>(
    TRow After, string? Why, bool Tell, Func<DatabaseTransaction, CancellationToken, Task>? Also = null)
{
    /// <summary>Why the step failed, if it did.</summary>
    public Failure? Failure { get; init; }
}
