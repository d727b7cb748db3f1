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

        // $2 now, $3 claimed until, $4 worker, $5 nudged, $6 lease held
        Claim =
            $"""
            UPDATE {table} SET epoch = epoch + 1, claimed_until = $3, claimed_by = $4
            WHERE id = $1 AND next_attempt_at IS NOT NULL
              AND (next_attempt_at <= $2 OR ($5 AND attempts = 0))
              AND ($6 OR claimed_until IS NULL OR claimed_until <= $2)
            RETURNING {columns}
            """;
        PullForward =
            $"""
            UPDATE {table} SET next_attempt_at = LEAST(next_attempt_at, $2)
            WHERE id = $1 AND next_attempt_at IS NOT NULL RETURNING next_attempt_at
            """;
        Release =
            $"""
            UPDATE {table} SET claimed_until = NULL, claimed_by = NULL,
              next_attempt_at = CASE WHEN next_attempt_at IS NULL THEN NULL ELSE LEAST(next_attempt_at, $3) END
            WHERE id = $1 AND epoch = $2
            """;
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

    public string Claim { get; }

    public string PullForward { get; }

    public string Release { get; }

    public string NextDue { get; }

    public string WakeForgotten { get; }

    /// <summary>$1 now, $2 busy ids, $3 limit, $4 keys that have no slot left (only with a key column).</summary>
    public string Due(string orderBy, string? keyColumn) =>
        $"""
        SELECT {RowMap<TRow>.ColumnList} FROM {_table}
        WHERE next_attempt_at <= $1 AND (claimed_until IS NULL OR claimed_until <= $1) AND id <> ALL ($2)
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

/// <summary>On what terms a row is claimed.</summary>
/// <param name="Worker">Who claims.</param>
/// <param name="For">How long the claim counts without a lease.</param>
/// <param name="Nudged">Whether a row that waits may be looked at before its time.</param>
/// <param name="LeaseHeld">Whether the lease in Redis is held, which makes an older claim void.</param>
internal readonly record struct ClaimTerms(string Worker, TimeSpan For, bool Nudged, bool LeaseHeld);

/// <summary>What came of a step, ready to be written.</summary>
/// <param name="After">The row as it shall be.</param>
/// <param name="Why">The reason, for the event.</param>
/// <param name="Tell">Whether it is an event.</param>
/// <param name="Also">Other writes of the same transaction.</param>
internal sealed record Transition<TRow>(
    TRow After, string? Why, bool Tell, Func<DatabaseTransaction, CancellationToken, Task>? Also = null);
