using System.Data.Common;
using Cloud.Events;
using Cloud.ServiceDefaults.Storage;
using Dapper;
using Npgsql;

namespace Cloud.Webhooks;

/// <summary>
/// Writes to the queue of a webhook. Whoever does holds the lock of its row in <c>webhook_progress</c>, so that of the
/// deliveries of a resource that wait always exactly the first has a time to be tried at. Workers write only while the
/// webhook's epoch is still theirs.
/// </summary>
public sealed class QueueStore(Database database)
{
    /// <summary>The webhook's row is locked first, as everybody does who changes it: nobody waits in a
    /// circle.</summary>
    private const string LockWebhookSql =
        "SELECT true FROM webhooks WHERE id = @id AND (@epoch::bigint IS NULL OR epoch = @epoch) FOR SHARE";

    /// <summary>An event that was delivered before keeps its row and is queued anew, behind what waits.</summary>
    private const string QueueSql =
        """
        INSERT INTO webhook_deliveries (webhook_id, id, sequence, event_type, resource, status, queued, queued_at,
                                        attempts, create_time, log)
        SELECT @id, sequence::text, sequence, type, resource, 'pending', nextval('webhook_queue'), @now, 0, @now, '[]'
          FROM (SELECT * FROM unnest(@sequences, @types, @resources) AS e (sequence, type, resource)
                 ORDER BY sequence) AS ordered
        ON CONFLICT (webhook_id, id) DO UPDATE
           SET status = 'pending', queued = excluded.queued, queued_at = excluded.queued_at, attempts = 0,
               first_attempt_at = NULL, finished_at = NULL
         WHERE webhook_deliveries.status <> 'pending'
        """;

    private const string ReleaseSql =
        """
        UPDATE webhook_deliveries AS d SET next_attempt_at = @now
          FROM (SELECT DISTINCT ON (resource) id FROM webhook_deliveries
                 WHERE webhook_id = @id AND status = 'pending' AND resource = ANY (@resources)
                 ORDER BY resource, queued) AS first
         WHERE d.webhook_id = @id AND d.id = first.id AND d.next_attempt_at IS NULL
        """;

    private const string RetryNowSql =
        """
        UPDATE webhook_deliveries SET next_attempt_at = @now, attempts = 0, first_attempt_at = NULL
         WHERE webhook_id = @id AND next_attempt_at IS NOT NULL;
        UPDATE webhook_progress SET failing_since = NULL, paused_until = NULL WHERE webhook_id = @id
        """;

    private const string CancelSql =
        """
        UPDATE webhook_deliveries SET status = 'cancelled', next_attempt_at = NULL, finished_at = @now
         WHERE webhook_id = @id AND status = 'pending';
        UPDATE webhook_progress
           SET failing_since = NULL, paused_until = NULL, replay_after = NULL, replay_through = NULL
         WHERE webhook_id = @id
        """;

    private static readonly string FindSql =
        $"""
        SELECT {RowMap<WebhookDelivery>.ColumnList} FROM webhook_deliveries
         WHERE webhook_id = @webhookId AND id = @id
        """;

    private static readonly string LockSql =
        $"SELECT {RowMap<WebhookProgress>.ColumnList} FROM webhook_progress WHERE webhook_id = @id FOR UPDATE";

    private static readonly string[] SavedColumns =
        ["status", "attempts", "first_attempt_at", "next_attempt_at", "finished_at", "log"];

    private static readonly Saving<WebhookDelivery> Deliveries =
        new("webhook_deliveries", ["webhook_id", "id"], SavedColumns);

    private static readonly Saving<WebhookProgress> Progresses = new(
        "webhook_progress", ["webhook_id"], [.. RowMap<WebhookProgress>.Columns.Where(c => c != "webhook_id")]);

    /// <summary>Runs a worker's writes in one transaction, with the queue locked.</summary>
    /// <returns>False when the webhook is another worker's by now: nothing was written.</returns>
    public Task<bool> AsWorkerAsync(
        Webhook webhook,
        Func<DatabaseTransaction, WebhookProgress, CancellationToken, Task> work,
        CancellationToken ct) =>
        database.InTransactionAsync(
            async (tx, token) =>
            {
                if (await LockAsync(tx, webhook.Id, webhook.Epoch, token) is not { } progress)
                {
                    return false;
                }

                await work(tx, progress, token);
                return true;
            },
            ct);

    /// <summary>Locks the queue of a webhook until the transaction ends.</summary>
    /// <param name="epoch">The webhook's epoch as claimed; null for a request.</param>
    /// <returns>Null when there is no such webhook, or its epoch is another.</returns>
    public async Task<WebhookProgress?> LockAsync(
        DatabaseTransaction tx, string webhookId, long? epoch, CancellationToken ct)
    {
        var isThere = await tx.Connection.QuerySingleOrDefaultAsync<bool>(
            Command(tx, LockWebhookSql, new { id = webhookId, epoch }, ct));
        return isThere ? (await ReadAsync<WebhookProgress>(tx, LockSql, new { id = webhookId }, ct)).Single() : null;
    }

    /// <summary>Begins the queue of a new webhook, at the feed's end as it is now.</summary>
    public Task OpenAsync(DatabaseTransaction tx, string webhookId, CancellationToken ct) =>
        tx.Connection.ExecuteAsync(Command(
            tx,
            "INSERT INTO webhook_progress (webhook_id, sequence) SELECT @id, last_sequence FROM feed",
            new { id = webhookId },
            ct));

    /// <summary>Queues events, those that were delivered before too; those that wait stay where they are.</summary>
    public async Task QueueAsync(
        DatabaseTransaction tx, string webhookId, IReadOnlyList<RecordedEvent> events, CancellationToken ct)
    {
        if (events.Count == 0)
        {
            return;
        }

        await tx.Connection.ExecuteAsync(Command(
            tx,
            QueueSql,
            new
            {
                id = webhookId,
                now = tx.Now.ToUniversalTime(),
                sequences = events.Select(e => e.Sequence).ToArray(),
                types = events.Select(Payload.TypeOf).ToArray(),
                resources = events.Select(e => e.Resource).ToArray(),
            },
            ct));
        await ReleaseAsync(tx, webhookId, [.. events.Select(e => e.Resource).Distinct()], ct);
    }

    /// <summary>The first delivery of each of these resources that waits gets its turn.</summary>
    public Task ReleaseAsync(DatabaseTransaction tx, string webhookId, string[] resources, CancellationToken ct) =>
        tx.Connection.ExecuteAsync(Command(
            tx, ReleaseSql, new { id = webhookId, now = tx.Now.ToUniversalTime(), resources }, ct));

    /// <summary>Everything whose turn it is is tried now, and counted from the beginning.</summary>
    public Task RetryNowAsync(DatabaseTransaction tx, string webhookId, CancellationToken ct) =>
        tx.Connection.ExecuteAsync(Command(
            tx, RetryNowSql, new { id = webhookId, now = tx.Now.ToUniversalTime() }, ct));

    /// <summary>Cancels everything that waits.</summary>
    public Task CancelAsync(DatabaseTransaction tx, string webhookId, CancellationToken ct) =>
        tx.Connection.ExecuteAsync(Command(tx, CancelSql, new { id = webhookId, now = tx.Now.ToUniversalTime() }, ct));

    /// <summary>Forgets what happened up to now.</summary>
    public Task SkipToEndAsync(DatabaseTransaction tx, string webhookId, CancellationToken ct) =>
        tx.Connection.ExecuteAsync(Command(
            tx,
            "UPDATE webhook_progress SET sequence = (SELECT last_sequence FROM feed) WHERE webhook_id = @id",
            new { id = webhookId },
            ct));

    /// <summary>Which of these events have a delivery that failed.</summary>
    public async Task<IReadOnlySet<long>> FailedAsync(
        DatabaseTransaction tx, string webhookId, IEnumerable<long> sequences, CancellationToken ct) =>
        (await tx.Connection.QueryAsync<long>(Command(
            tx,
            """
            SELECT sequence FROM webhook_deliveries
             WHERE webhook_id = @id AND id = ANY (@ids) AND status = 'failed'
            """,
            new { id = webhookId, ids = sequences.Select(WebhookDelivery.IdOf).ToArray() },
            ct))).ToHashSet();

    /// <summary>A delivery as it is now.</summary>
    public async Task<WebhookDelivery?> FindAsync(
        DatabaseTransaction tx, string webhookId, string id, CancellationToken ct) =>
        (await ReadAsync<WebhookDelivery>(tx, FindSql, new { webhookId, id }, ct)).SingleOrDefault();

    /// <summary>Notes a ping. Until its answer is saved it counts as cancelled, so that a crash leaves nothing that
    /// waits.</summary>
    public async Task<WebhookDelivery> OpenPingAsync(DatabaseTransaction tx, string webhookId, CancellationToken ct)
    {
        var id = "ping-" + ResourceId.New();
        await tx.Connection.ExecuteAsync(Command(
            tx,
            """
            INSERT INTO webhook_deliveries (webhook_id, id, sequence, event_type, resource, status, queued, queued_at,
                                            attempts, finished_at, create_time, log)
            VALUES (@webhookId, @id, 0, @type, '', 'cancelled', 0, @now, 0, @now, @now, '[]')
            """,
            new { webhookId, id, type = WebhookDelivery.PingType, now = tx.Now.ToUniversalTime() },
            ct));
        return (await FindAsync(tx, webhookId, id, ct))!;
    }

    /// <summary>Saves what became of a delivery: status, attempts, times and log.</summary>
    public Task SaveAsync(DatabaseTransaction tx, WebhookDelivery delivery, CancellationToken ct) =>
        Deliveries.RunAsync(tx, delivery, ct);

    /// <summary>Saves how far the webhook has come.</summary>
    public Task SaveAsync(DatabaseTransaction tx, WebhookProgress progress, CancellationToken ct) =>
        Progresses.RunAsync(tx, progress, ct);

    private static async Task<IReadOnlyList<T>> ReadAsync<T>(
        DatabaseTransaction tx, string sql, object parameters, CancellationToken ct)
        where T : class
    {
        await using var rows = (DbDataReader)await tx.Connection.ExecuteReaderAsync(Command(tx, sql, parameters, ct));
        return await RowMap<T>.ReadAllAsync(rows, ct);
    }

    private static CommandDefinition Command(
        DatabaseTransaction tx, string sql, object parameters, CancellationToken ct) =>
        new(sql, parameters, tx.Transaction, cancellationToken: ct);

    /// <summary>An update of some columns of a record's row.</summary>
    private sealed class Saving<T>
        where T : class
    {
        private readonly int[] _columns;

        private readonly string _sql;

        public Saving(string table, string[] keys, string[] columns)
        {
            var all = RowMap<T>.Columns.ToList();
            _columns = [.. columns.Concat(keys).Select(column => all.IndexOf(column))];
            var set = string.Join(", ", columns.Select((column, n) => $"{column} = ${n + 1}"));
            var where = string.Join(" AND ", keys.Select((key, n) => $"{key} = ${columns.Length + n + 1}"));
            _sql = $"UPDATE {table} SET {set} WHERE {where}";
        }

        public async Task RunAsync(DatabaseTransaction tx, T row, CancellationToken ct)
        {
            await using var command = new NpgsqlCommand(_sql, tx.Connection, tx.Transaction);
            foreach (var column in _columns)
            {
                command.Parameters.Add(RowMap<T>.Parameter(row, column));
            }

            await command.ExecuteNonQueryAsync(ct);
        }
    }
}
