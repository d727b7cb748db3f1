using System.Data.Common;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>An event with its place in this service's feed.</summary>
/// <param name="Sequence">Grows by one per event, without gaps.</param>
public sealed record StoredEvent(long Sequence, ResourceEvent Event)
{
    internal const string Columns = "sequence, " + Outbox.Columns;

    /// <summary>Reads a row that selected <see cref="Columns"/>, beginning at a column.</summary>
    internal static StoredEvent Read(DbDataReader row, int first) => new(
        row.GetInt64(first),
        new ResourceEvent(row.GetString(first + 1), row.GetString(first + 2), row.GetString(first + 3))
        {
            OldState = Text(row, first + 4),
            NewState = Text(row, first + 5),
            Reason = Text(row, first + 6),
            ErrorCode = Text(row, first + 7),
            Actor = Text(row, first + 8),
            RequestId = Text(row, first + 9),
            TraceId = Text(row, first + 10),
            ResourceVersion = row.GetInt64(first + 11),
            OccurredAt = row.GetFieldValue<DateTimeOffset>(first + 12),
            Parent = Text(row, first + 13),
            Snapshot = Bytes(row, first + 14),
            SnapshotBefore = Bytes(row, first + 15),
        });

    private static string? Text(DbDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);

    private static byte[]? Bytes(DbDataReader row, int column) =>
        row.IsDBNull(column) ? null : row.GetFieldValue<byte[]>(column);
}
