using Npgsql;
using NpgsqlTypes;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>The SQL of the table <c>outbox</c> that writers share: the column list and the parameters of an
/// event.</summary>
internal static class Outbox
{
    public const string Columns =
        "resource_type, resource, type, old_state, new_state, reason, error_code, actor, request_id, trace_id, "
        + "resource_version, occurred_at, parent, snapshot, snapshot_before";

    public const int ColumnCount = 15;

    private static readonly string InsertSql = $"INSERT INTO outbox ({Columns}) VALUES ({Placeholders(1)})";

    /// <summary><c>$n, $n+1, ...</c> for the event's parameters when they begin at <paramref name="first"/>.</summary>
    public static string Placeholders(int first) =>
        string.Join(", ", Enumerable.Range(first, ColumnCount).Select(n => $"${n}"));

    public static NpgsqlBatchCommand Insert(ResourceEvent e, DateTimeOffset now)
    {
        var command = new NpgsqlBatchCommand(InsertSql);
        AddParameters(command.Parameters, e, now);
        return command;
    }

    public static void AddParameters(NpgsqlParameterCollection parameters, ResourceEvent e, DateTimeOffset now)
    {
        var context = RequestContext.Current;
        AddText(parameters, e.ResourceType);
        AddText(parameters, e.Resource);
        AddText(parameters, e.Type);
        AddText(parameters, e.OldState);
        AddText(parameters, e.NewState);
        AddText(parameters, e.Reason);
        AddText(parameters, e.ErrorCode);
        AddText(parameters, e.Actor ?? context.Actor);
        AddText(parameters, e.RequestId ?? context.RequestId);
        AddText(parameters, e.TraceId ?? Cause.TraceIdOf(Cause.Current.Traceparent));
        parameters.Add(new NpgsqlParameter<long> { TypedValue = e.ResourceVersion });
        parameters.Add(new NpgsqlParameter<DateTimeOffset>
        {
            TypedValue = (e.OccurredAt == default ? now : e.OccurredAt).ToUniversalTime(),
        });
        AddText(parameters, e.Parent);
        Add(parameters, NpgsqlDbType.Bytea, e.Snapshot);
        Add(parameters, NpgsqlDbType.Bytea, e.SnapshotBefore);
    }

    private static void AddText(NpgsqlParameterCollection parameters, string? value) =>
        Add(parameters, NpgsqlDbType.Text, value);

    private static void Add(NpgsqlParameterCollection parameters, NpgsqlDbType type, object? value) =>
        parameters.Add(new NpgsqlParameter { Value = value ?? DBNull.Value, NpgsqlDbType = type });
}
