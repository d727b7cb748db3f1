using System.Data.Common;
using Cloud.ServiceDefaults.Storage;
using Dapper;
using Npgsql;

namespace Cloud.Webhooks;

/// <summary>Which deliveries a list is about.</summary>
public sealed record DeliveryFilter(string WebhookId, IReadOnlyList<string> Statuses, string Resource);

/// <summary>Reads of queue and log, and the log's pruning.</summary>
public sealed class DeliveryStore(Database database)
{
    private static readonly string Select = $"SELECT {RowMap<WebhookDelivery>.ColumnList} FROM webhook_deliveries ";

    private const string BacklogsSql =
        """
        SELECT p.webhook_id, q.pending, q.oldest FROM webhook_progress AS p CROSS JOIN LATERAL (
            SELECT count(*) AS pending, min(queued_at) AS oldest FROM webhook_deliveries AS d
             WHERE d.webhook_id = p.webhook_id AND d.status = 'pending') AS q
         WHERE p.webhook_id = ANY (@ids)
        """;

    /// <summary>The newest of each webhook are kept; what waits is no log yet.</summary>
    private const string PruneByCountSql =
        """
        DELETE FROM webhook_deliveries AS d USING (
            SELECT old.webhook_id, old.id FROM webhooks AS w
             CROSS JOIN LATERAL (SELECT position FROM webhook_deliveries
                                  WHERE webhook_id = w.id ORDER BY position DESC OFFSET @kept LIMIT 1) AS newest
             CROSS JOIN LATERAL (SELECT webhook_id, id FROM webhook_deliveries
                                  WHERE webhook_id = w.id AND position <= newest.position AND status <> 'pending'
                                  ORDER BY position LIMIT @atMost) AS old
             LIMIT @atMost) AS gone
         WHERE d.webhook_id = gone.webhook_id AND d.id = gone.id
        """;

    private const string PruneByAgeSql =
        """
        DELETE FROM webhook_deliveries AS d USING (
            SELECT webhook_id, id FROM webhook_deliveries WHERE finished_at < @before LIMIT @atMost) AS gone
         WHERE d.webhook_id = gone.webhook_id AND d.id = gone.id
        """;

    /// <summary>A step that failed is tried again soon anyway, at a time of its own.</summary>
    private const string BehindSql =
        """
        SELECT w.id FROM webhooks AS w JOIN webhook_progress AS p ON p.webhook_id = w.id CROSS JOIN feed
         WHERE w.state = 'enabled' AND w.attempts = 0 AND w.looked_at <= @before
           AND (p.sequence < feed.last_sequence OR p.replay_after IS NOT NULL
                OR ((p.paused_until IS NULL OR p.paused_until <= @now)
                    AND EXISTS (SELECT FROM webhook_deliveries AS d
                                 WHERE d.webhook_id = w.id AND d.next_attempt_at <= @now)))
        """;

    /// <summary>Now, as rows keep it.</summary>
    public DateTimeOffset Now => database.Now;

    /// <summary>How far a webhook has come.</summary>
    public async Task<WebhookProgress> ProgressAsync(string webhookId, CancellationToken ct)
    {
        await using var connection = await database.OpenAsync(ct);
        return (await ProgressesAsync(connection, [webhookId], ct)).Single();
    }

    /// <summary>The deliveries of a webhook whose time has come, the longest due first.</summary>
    public Task<IReadOnlyList<WebhookDelivery>> DueAsync(string webhookId, int count, CancellationToken ct) =>
        ReadAsync(
            "WHERE webhook_id = @webhookId AND next_attempt_at <= @now ORDER BY next_attempt_at, queued LIMIT @count",
            new { webhookId, now = database.Now.ToUniversalTime(), count },
            ct);

    /// <summary>When the next delivery of a webhook is due; null when none waits.</summary>
    public async Task<DateTimeOffset?> NextDueAsync(string webhookId, CancellationToken ct)
    {
        await using var connection = await database.OpenAsync(ct);
        return await connection.QuerySingleAsync<DateTime?>(new CommandDefinition(
            "SELECT min(next_attempt_at) FROM webhook_deliveries WHERE webhook_id = @webhookId",
            new { webhookId },
            cancellationToken: ct)) is { } next ? new DateTimeOffset(next) : null;
    }

    /// <summary>One delivery.</summary>
    public async Task<WebhookDelivery?> FindAsync(string webhookId, string id, CancellationToken ct) =>
        (await ReadAsync("WHERE webhook_id = @webhookId AND id = @id", new { webhookId, id }, ct)).SingleOrDefault();

    /// <summary>A page of the log, newest first.</summary>
    public Task<IReadOnlyList<WebhookDelivery>> ListAsync(
        DeliveryFilter filter, long? before, int count, CancellationToken ct)
    {
        var conditions = new Conditions()
            .Equal("webhook_id", filter.WebhookId)
            .AnyOf("status", filter.Statuses)
            .Equal("resource", filter.Resource)
            .Add("position < @before", "before", before);
        conditions.Values.Add("count", count);
        return ReadAsync($"WHERE {conditions.Sql} ORDER BY position DESC LIMIT @count", conditions.Values, ct);
    }

    /// <summary>How the deliveries of some webhooks go, by webhook.</summary>
    public async Task<IReadOnlyDictionary<string, WebhookBacklog>> BacklogsAsync(
        IEnumerable<string> webhookIds, CancellationToken ct)
    {
        await using var connection = await database.OpenAsync(ct);
        return await BacklogsAsync(connection, [.. webhookIds], ct);
    }

    /// <summary>The same of one webhook, as a transaction sees it.</summary>
    public static async Task<WebhookBacklog> BacklogAsync(
        DatabaseTransaction tx, string webhookId, CancellationToken ct) =>
        (await BacklogsAsync(tx.Connection, [webhookId], ct))[webhookId];

    /// <summary>The enabled webhooks that have something to do and were last looked at before a moment.</summary>
    public async Task<IEnumerable<string>> BehindAsync(DateTimeOffset before, CancellationToken ct)
    {
        await using var connection = await database.OpenAsync(ct);
        return await connection.QueryAsync<string>(new CommandDefinition(
            BehindSql,
            new { before = before.ToUniversalTime(), now = database.Now.ToUniversalTime() },
            cancellationToken: ct));
    }

    /// <summary>Everything that waits, of all webhooks.</summary>
    public async Task<(long Pending, DateTimeOffset? Oldest)> PendingAsync(CancellationToken ct)
    {
        await using var connection = await database.OpenAsync(ct);
        var (pending, oldest) = await connection.QuerySingleAsync<(long, DateTime?)>(new CommandDefinition(
            "SELECT count(*), min(queued_at) FROM webhook_deliveries WHERE status = 'pending'", cancellationToken: ct));
        return (pending, oldest is { } moment ? new DateTimeOffset(moment) : null);
    }

    /// <summary>Lets finished deliveries go that are older than a moment or beyond the newest of their webhook, a
    /// bounded number.</summary>
    /// <returns>How many went.</returns>
    public async Task<int> PruneAsync(DateTimeOffset before, int kept, int atMost, CancellationToken ct)
    {
        await using var connection = await database.OpenAsync(ct);
        var byAge = await connection.ExecuteAsync(new CommandDefinition(
            PruneByAgeSql, new { before = before.ToUniversalTime(), atMost }, cancellationToken: ct));
        return byAge + await connection.ExecuteAsync(new CommandDefinition(
            PruneByCountSql, new { kept, atMost }, cancellationToken: ct));
    }

    private static async Task<IReadOnlyDictionary<string, WebhookBacklog>> BacklogsAsync(
        NpgsqlConnection connection, string[] ids, CancellationToken ct)
    {
        var progresses = await ProgressesAsync(connection, ids, ct);
        var counts = (await connection.QueryAsync<(string Id, long Pending, DateTime? Oldest)>(
                new CommandDefinition(BacklogsSql, new { ids }, cancellationToken: ct)))
            .ToDictionary(row => row.Id, StringComparer.Ordinal);
        return progresses.ToDictionary(
            progress => progress.WebhookId,
            progress => new WebhookBacklog(
                progress,
                counts[progress.WebhookId].Pending,
                counts[progress.WebhookId].Oldest is { } oldest ? new DateTimeOffset(oldest) : null),
            StringComparer.Ordinal);
    }

    private static async Task<IReadOnlyList<WebhookProgress>> ProgressesAsync(
        NpgsqlConnection connection, string[] ids, CancellationToken ct)
    {
        await using var rows = (DbDataReader)await connection.ExecuteReaderAsync(new CommandDefinition(
            $"SELECT {RowMap<WebhookProgress>.ColumnList} FROM webhook_progress WHERE webhook_id = ANY (@ids)",
            new { ids },
            cancellationToken: ct));
        return await RowMap<WebhookProgress>.ReadAllAsync(rows, ct);
    }

    private async Task<IReadOnlyList<WebhookDelivery>> ReadAsync(string rest, object parameters, CancellationToken ct)
    {
        await using var connection = await database.OpenAsync(ct);
        await using var rows = (DbDataReader)await connection.ExecuteReaderAsync(
            new CommandDefinition(Select + rest, parameters, cancellationToken: ct));
        return await RowMap<WebhookDelivery>.ReadAllAsync(rows, ct);
    }
}
