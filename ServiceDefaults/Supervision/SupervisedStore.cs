using System.Data.Common;
using Dapper;
using Npgsql;
using NpgsqlTypes;

namespace Cloud.ServiceDefaults.Supervision;

/// <summary>
/// All SQL that supervised tables share. A noun's store derives from it, names its table, completes its events, and
/// adds its own queries; the columns come from the record (<see cref="RowMap{TRow}"/>).
/// <code>
/// public sealed class ClusterStore(Database database)
///     : SupervisedStore&lt;Cluster, ClusterState&gt;(database, "clusters", "cluster", "clusters")
/// {
///     public async Task&lt;Cluster?&gt; ByNameAsync(string name, CancellationToken ct) =>
///         (await SelectAsync("WHERE name = @name AND state &lt;&gt; 'deleted'", new { name }, ct)).SingleOrDefault();
///
///     protected override ResourceEvent? EventFor(Cluster? before, Cluster after, ResourceEvent draft) =>
///         draft with { Snapshot = after.ToProto().ToByteArray() };
/// }
/// </code>
/// The migration of a supervised table begins with these columns:
/// <code>
/// id text PRIMARY KEY, state text NOT NULL, version bigint NOT NULL, epoch bigint NOT NULL, attempts integer NOT NULL,
/// next_attempt_at timestamptz, claimed_until timestamptz, claimed_by text, looked_at timestamptz,
/// state_since timestamptz NOT NULL, waiting_for text, last_error_code text, last_error text, last_error_fault text,
/// create_time timestamptz NOT NULL, cause_request_id text, cause_traceparent text,
/// ...
/// CREATE INDEX clusters_due ON clusters (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
/// CREATE INDEX clusters_by_age ON clusters (create_time, id);
/// </code>
/// </summary>
/// <param name="database">The service's schema.</param>
/// <param name="table">Table name.</param>
/// <param name="noun">snake_case noun: the event's resource type, the nudge's channel, the lease's prefix.</param>
/// <param name="collection">First segment of resource names: <c>clusterInstallations</c>.</param>
public abstract class SupervisedStore<TRow, TState>(Database database, string table, string noun, string collection)
    where TRow : SupervisedRow<TState>
    where TState : struct, Enum
{
    private readonly SupervisedSql<TRow, TState> _sql = new(table);

    /// <summary>The noun, snake_case.</summary>
    public string Noun => noun;

    /// <summary>The table.</summary>
    internal string Table => table;

    /// <summary>Now, as rows keep it.</summary>
    internal DateTimeOffset Now => database.Now;

    /// <summary>The database it lives in.</summary>
    protected Database Database => database;

    /// <summary>The resource name of an id.</summary>
    public string NameOf(string id) => $"{collection}/{id}";

    /// <summary>The row of an id, whatever its state.</summary>
    public async Task<TRow?> FindAsync(string id, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(_sql.Find);
        command.Parameters.Add(Text(id));
        return await ReadOneAsync(command, ct);
    }

    /// <summary>Writes a new row with its <c>created</c> event and nudges its supervisor after the commit. Version,
    /// times and first attempt are set here.</summary>
    /// <exception cref="PostgresException">A unique constraint (SqlState 23505): the service says which problem that
    /// is.</exception>
    public async Task<TRow> InsertAsync(DatabaseTransaction transaction, TRow row, string? why, CancellationToken ct)
    {
        var cause = Cause.Current;
        var inserted = Stamp(
            row with
            {
                Version = 1,
                CauseRequestId = cause.RequestId,
                CauseTraceparent = cause.Traceparent,
                CreateTime = transaction.Now,
                StateSince = transaction.Now,
                NextAttemptAt = transaction.Now,
            },
            transaction.Now);
        await using var batch = new NpgsqlBatch(transaction.Connection, transaction.Transaction);
        var insert = new NpgsqlBatchCommand(_sql.Insert);
        SupervisedSql<TRow, TState>.AddAll(insert.Parameters, inserted);
        batch.BatchCommands.Add(insert);
        Append(transaction, batch, null, inserted, why);
        await batch.ExecuteNonQueryAsync(ct);
        transaction.NudgeAfterCommit(new Nudge(noun, row.Id));
        return inserted;
    }

    /// <summary>A request verb on an existing row: locks the row for the moment, lets the service check it and change
    /// it, and writes it with its event. A step that is running then loses its save, and the next pass begins from
    /// the new row. Failures counted so far are forgotten, because the wish is new.</summary>
    /// <param name="change">Gets the row as it is; throws a problem when state or etag forbid the verb; answers the
    /// row as it should be, or the same one when there is nothing to do (then nothing is written).</param>
    /// <returns>The row as written; null when there is none with that id.</returns>
    public async Task<TRow?> ChangeAsync(
        DatabaseTransaction transaction, string id, Func<TRow, TRow> change, string? why, CancellationToken ct)
    {
        await using var find = new NpgsqlCommand(_sql.FindForUpdate, transaction.Connection, transaction.Transaction);
        find.Parameters.Add(Text(id));
        if (await ReadOneAsync(find, ct) is not { } before)
        {
            return null;
        }

        var wanted = change(before);
        if (wanted == before)
        {
            return before;
        }

        var after = Stamp(Transitions<TRow, TState>.Requested(before, wanted, transaction.Now), transaction.Now);
        await using var batch = new NpgsqlBatch(transaction.Connection, transaction.Transaction);
        batch.BatchCommands.Add(_sql.UpdateCommand(before, after));
        Append(transaction, batch, before, after, why);
        await batch.ExecuteNonQueryAsync(ct);
        transaction.NudgeAfterCommit(new Nudge(noun, id));
        return after;
    }

    /// <summary>A page of rows, oldest first.</summary>
    /// <param name="conditions">Which.</param>
    /// <param name="after">Where the page before ended; null for the first.</param>
    /// <param name="limit">At most so many.</param>
    /// <param name="ct">Cuts the query short.</param>
    protected Task<IReadOnlyList<TRow>> PageAsync(
        Conditions conditions, PageKey? after, int limit, CancellationToken ct) =>
        SelectAsync($"WHERE {conditions.Page(after, limit).Sql}", conditions.Values, ct);

    /// <summary>Rows by a condition of the noun.</summary>
    /// <param name="rest">What follows FROM: <c>WHERE ... ORDER BY ... LIMIT ...</c>.</param>
    /// <param name="parameters">Values of its <c>@names</c>, as an anonymous object; enums by their public
    /// names.</param>
    protected async Task<IReadOnlyList<TRow>> SelectAsync(string rest, object? parameters, CancellationToken ct)
    {
        await using var connection = await database.OpenAsync(ct);
        return await SelectAsync(connection, null, rest, parameters, ct);
    }

    /// <summary>As above, inside a transaction.</summary>
    protected Task<IReadOnlyList<TRow>> SelectAsync(
        DatabaseTransaction transaction, string rest, object? parameters, CancellationToken ct) =>
        SelectAsync(transaction.Connection, transaction.Transaction, rest, parameters, ct);

    /// <summary>Notes in the row when it changed, where the noun keeps that (<c>update_time</c>). Called for every
    /// write that makes a new version.</summary>
    protected virtual TRow Stamp(TRow row, DateTimeOffset now) => row;

    /// <summary>Completes the event of a change: snapshot for Watch, parent, and who else waits for it. Null says that
    /// nobody needs to know.</summary>
    /// <param name="before">The row before; null when it was just created.</param>
    /// <param name="draft">Type, states, version, reason and time are set.</param>
    protected virtual ResourceEvent? EventFor(TRow? before, TRow after, ResourceEvent draft) => draft;

    /// <summary>Due rows that no worker has claimed, urgent and old ones first.</summary>
    internal async Task<IReadOnlyList<DueRow<TState>>> DueAsync(DueQuery query, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(_sql.Due(query.OrderBy, query.KeyColumn));
        command.Parameters.Add(Moment(database.Now));
        command.Parameters.Add(Texts(query.BusyIds));
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = query.RowsMax });
        if (query.KeyColumn is not null)
        {
            command.Parameters.Add(Texts(query.FullKeys));
        }

        await using var reader = await command.ExecuteReaderAsync(ct);
        var rows = new List<DueRow<TState>>();
        while (await reader.ReadAsync(ct))
        {
            rows.Add(ReadDue(reader));
        }

        return rows;
    }

    /// <summary>Of nudged rows, those that wait and that nobody has looked at since.</summary>
    internal async Task<IReadOnlyList<(string Id, DateTimeOffset HeardAt)>> UnansweredAsync(
        IReadOnlyList<(string Id, DateTimeOffset HeardAt)> nudges, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(_sql.Unanswered);
        command.Parameters.Add(Texts([.. nudges.Select(nudge => nudge.Id)]));
        command.Parameters.Add(new NpgsqlParameter
        {
            NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.TimestampTz,
            Value = nudges.Select(nudge => nudge.HeardAt).ToArray(),
        });
        command.Parameters.Add(Moment(database.Now));
        await using var reader = await command.ExecuteReaderAsync(ct);
        var unanswered = new List<(string, DateTimeOffset)>();
        while (await reader.ReadAsync(ct))
        {
            unanswered.Add(ReadNudge(reader));
        }

        return unanswered;
    }

    /// <summary>Due rows by state, for those who measure.</summary>
    internal async Task<IReadOnlyList<DueCount>> CountDueAsync(CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(_sql.CountDue);
        command.Parameters.Add(Moment(database.Now));
        await using var reader = await command.ExecuteReaderAsync(ct);
        var counts = new List<DueCount>();
        while (await reader.ReadAsync(ct))
        {
            counts.Add(ReadCount(reader));
        }

        return counts;
    }

    /// <summary>The next moment at which a row becomes due or a claim runs out.</summary>
    internal async Task<DateTimeOffset?> NextDueAsync(CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(_sql.NextDue);
        command.Parameters.Add(Moment(database.Now));
        return await command.ExecuteScalarAsync(ct) is DateTime next ? new DateTimeOffset(next) : null;
    }

    /// <summary>Makes rows due that rest in a state which has a step: the code learned it since they were
    /// written.</summary>
    internal async Task<int> WakeForgottenAsync(IReadOnlyList<string> statesWithSteps, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(_sql.WakeForgotten);
        command.Parameters.Add(Moment(database.Now));
        command.Parameters.Add(Texts(statesWithSteps));
        return await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Takes the row: epoch + 1, fresh row back. Null when it is at rest, not due (and not nudged since it was
    /// last looked at), or, without a lease, claimed by another worker.</summary>
    internal async Task<TRow?> ClaimAsync(string id, ClaimTerms terms, CancellationToken ct)
    {
        await database.Checkpoints.PassAsync("claim.before", ct);
        var now = database.Now;
        await using var command = database.Source.CreateCommand(_sql.Claim);
        command.Parameters.Add(Text(id));
        command.Parameters.Add(Moment(now));
        command.Parameters.Add(Moment(now + terms.For));
        command.Parameters.Add(Text(terms.Worker));
        command.Parameters.Add(new NpgsqlParameter
        {
            NpgsqlDbType = NpgsqlDbType.TimestampTz, Value = (object?)terms.HeardAt?.ToUniversalTime() ?? DBNull.Value,
        });
        command.Parameters.Add(new NpgsqlParameter<bool> { TypedValue = terms.LeaseHeld });
        var row = await ReadOneAsync(command, ct);
        await database.Checkpoints.PassAsync("claim.after", ct);
        return row;
    }

    /// <summary>A nudge for a row that is failing brings its next try forward, but not to now: a step whose own failing
    /// causes nudges must not spin.</summary>
    /// <returns>When it is tried next; null when the row is not failing, or comes soon anyway.</returns>
    internal async Task<DateTimeOffset?> PullForwardAsync(
        string id, DateTimeOffset heardAt, TimeSpan soon, CancellationToken ct)
    {
        await database.Checkpoints.PassAsync("pull-forward.before", ct);
        await using var command = database.Source.CreateCommand(_sql.PullForward);
        command.Parameters.Add(Text(id));
        command.Parameters.Add(Moment(database.Now + soon));
        command.Parameters.Add(Moment(heardAt));
        var next = await command.ExecuteScalarAsync(ct) is DateTime at ? new DateTimeOffset(at) : (DateTimeOffset?)null;
        await database.Checkpoints.PassAsync("pull-forward.after", ct);
        return next;
    }

    /// <summary>Gives a claim back without a word about the row, if it is still ours.</summary>
    internal async Task ReleaseAsync(TRow row, bool dueNow, CancellationToken ct)
    {
        await database.Checkpoints.PassAsync("release.before", ct);
        await using var command = database.Source.CreateCommand(_sql.Release);
        command.Parameters.Add(Text(row.Id));
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = row.Epoch });
        command.Parameters.Add(Moment(dueNow ? database.Now : DateTimeOffset.MaxValue));
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Notes that a turn failed outside its step (the row could not be claimed, read or saved), with doubling
    /// waits, unless another worker has the row. Writes only what every supervised table has and reads nothing of the
    /// noun, so that it works for a row that cannot be read.</summary>
    /// <returns>When it is tried next; null when it rests or another worker has it.</returns>
    internal async Task<DateTimeOffset?> SetAsideAsync(string id, string worker, Failure failure, CancellationToken ct)
    {
        await database.Checkpoints.PassAsync("set-aside.before", ct);
        await using var command = database.Source.CreateCommand(_sql.SetAside);
        command.Parameters.Add(Text(id));
        command.Parameters.Add(Moment(database.Now));
        command.Parameters.Add(Text(worker));
        command.Parameters.Add(new NpgsqlParameter<TimeSpan[]> { TypedValue = Backoff.Waits() });
        command.Parameters.Add(Text(failure.Code));
        command.Parameters.Add(Text(failure.Message));
        command.Parameters.Add(Text(StateNames<Fault>.Of(failure.Fault)));
        return await command.ExecuteScalarAsync(ct) is DateTime next ? new DateTimeOffset(next) : null;
    }

    /// <summary>What came of a step, with the moment noted if it makes a new version.</summary>
    internal Transition<TRow> Stamped(TRow before, Transition<TRow> transition) =>
        transition.After.Version == before.Version
            ? transition
            : transition with { After = Stamp(transition.After, database.Now) };

    /// <summary>Writes what came of a step, only if nobody moved the row (version) or took it over (epoch).</summary>
    /// <returns>False when somebody did: nothing was written.</returns>
    internal async Task<bool> SaveAsync(TRow before, Transition<TRow> transition, CancellationToken ct)
    {
        await database.Checkpoints.PassAsync("save.before", ct);
        return transition.Also is null
            ? await SaveAloneAsync(before, transition, ct)
            : await SaveWithAsync(before, transition, transition.Also, ct);
    }

    private async Task<bool> SaveAloneAsync(TRow before, Transition<TRow> transition, CancellationToken ct)
    {
        var e = transition.Tell ? Event(before, transition.After, transition.Why) : null;
        await using var command = database.Source.CreateCommand(e is null ? _sql.Update : _sql.UpdateWithEvent);
        SupervisedSql<TRow, TState>.AddUpdate(command.Parameters, before, transition.After);
        if (e is not null)
        {
            Outbox.AddParameters(command.Parameters, e, database.Now);
            await database.HintAsync(ct);
        }

        var saved = await command.ExecuteNonQueryAsync(ct) == 1;
        await database.Checkpoints.PassAsync("save.after", ct);
        if (saved && e is not null)
        {
            await database.TellAsync(e.Nudges, hasEvents: true, ct);
        }

        return saved;
    }

    private async Task<bool> SaveWithAsync(
        TRow before,
        Transition<TRow> transition,
        Func<DatabaseTransaction, CancellationToken, Task> also,
        CancellationToken ct)
    {
        try
        {
            await database.InTransactionAsync(
                async (transaction, token) =>
                {
                    await using var batch = new NpgsqlBatch(transaction.Connection, transaction.Transaction);
                    batch.BatchCommands.Add(_sql.UpdateCommand(before, transition.After));
                    if (await batch.ExecuteNonQueryAsync(token) != 1)
                    {
                        throw new LostSaveException();
                    }

                    await also(transaction, token);
                    if (transition.Tell && Event(before, transition.After, transition.Why) is { } e)
                    {
                        await transaction.AppendAsync(e, token);
                    }
                },
                ct);
            await database.Checkpoints.PassAsync("save.after", ct);
            return true;
        }
        catch (LostSaveException)
        {
            return false;
        }
    }

    private void Append(DatabaseTransaction transaction, NpgsqlBatch batch, TRow? before, TRow after, string? why)
    {
        if (Event(before, after, why) is { } e)
        {
            transaction.Append(batch, e);
        }
    }

    private ResourceEvent? Event(TRow? before, TRow after, string? why)
    {
        var newState = StateNames<TState>.Of(after.State);
        var moved = before is null || !EqualityComparer<TState>.Default.Equals(before.State, after.State);
        var type = before is null ? EventTypes.Created
            : !moved ? EventTypes.Updated
            : newState == EventTypes.Deleted ? EventTypes.Deleted
            : EventTypes.StateChanged;
        return EventFor(before, after, new ResourceEvent(noun, NameOf(after.Id), type)
        {
            OldState = before is null ? null : StateNames<TState>.Of(before.State),
            NewState = newState,
            Reason = why,
            ErrorCode = after.LastErrorCode,
            RequestId = after.CauseRequestId,
            TraceId = Cause.TraceIdOf(after.CauseTraceparent),
            ResourceVersion = after.Version,
            OccurredAt = database.Now,
        });
    }

    private async Task<IReadOnlyList<TRow>> SelectAsync(
        NpgsqlConnection connection,
        NpgsqlTransaction? transaction,
        string rest,
        object? parameters,
        CancellationToken ct)
    {
        var command = new CommandDefinition(_sql.Select + rest, parameters, transaction, cancellationToken: ct);
        await using var reader = (DbDataReader)await connection.ExecuteReaderAsync(command);
        return await RowMap<TRow>.ReadAllAsync(reader, ct);
    }

    private static DueRow<TState> ReadDue(DbDataReader reader) => new(
        reader.GetString(0),
        StateNames<TState>.Parse(reader.GetString(1)),
        reader.GetFieldValue<DateTimeOffset>(2),
        reader.IsDBNull(3) ? null : reader.GetString(3));

    private static DueCount ReadCount(DbDataReader reader) =>
        new(reader.GetString(0), reader.GetInt64(1), reader.GetFieldValue<DateTimeOffset>(2));

    private static (string Id, DateTimeOffset HeardAt) ReadNudge(DbDataReader reader) =>
        (reader.GetString(0), reader.GetFieldValue<DateTimeOffset>(1));

    private static async Task<TRow?> ReadOneAsync(NpgsqlCommand command, CancellationToken ct)
    {
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await reader.ReadAsync(ct) ? RowMap<TRow>.Read(reader) : null;
    }

    private static NpgsqlParameter<string> Text(string value) => new() { TypedValue = value };

    private static NpgsqlParameter Texts(IReadOnlyList<string> values) =>
        new() { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text, Value = values.ToArray() };

    private static NpgsqlParameter<DateTimeOffset> Moment(DateTimeOffset value) =>
        new() { TypedValue = value.ToUniversalTime() };

    /// <summary>Rolls a transaction back because the row was moved or taken over.</summary>
    private sealed class LostSaveException : Exception;
}
