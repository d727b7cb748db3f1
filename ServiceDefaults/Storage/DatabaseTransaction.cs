using Npgsql;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>A transaction under way: what stores write through, and where events join what they tell about.</summary>
/// <remarks>Write the row first and append its event after: the row's lock then orders the events of one resource as
/// their commits are ordered, which the numbering of the outbox relies on.</remarks>
public sealed class DatabaseTransaction(NpgsqlConnection connection, NpgsqlTransaction transaction, DateTimeOffset now)
{
    private readonly List<Nudge> _afterCommit = [];

    /// <summary>The connection; every command on it takes part.</summary>
    public NpgsqlConnection Connection => connection;

    /// <summary>The transaction, for libraries that want to be handed it.</summary>
    public NpgsqlTransaction Transaction => transaction;

    /// <summary>The moment this transaction began: one time for everything it writes.</summary>
    public DateTimeOffset Now => now;

    internal bool HasEvents { get; private set; }

    internal IReadOnlyList<Nudge> AfterCommit => _afterCommit;

    /// <summary>Writes an event; it becomes visible, numbered and delivered only if the transaction commits.</summary>
    public async Task AppendAsync(ResourceEvent e, CancellationToken ct)
    {
        await using var batch = new NpgsqlBatch(connection, transaction);
        Append(batch, e);
        await batch.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Nudges a row's supervisor once the transaction is committed.</summary>
    public void NudgeAfterCommit(Nudge nudge) => _afterCommit.Add(nudge);

    /// <summary>As <see cref="AppendAsync"/>, joining a batch that the caller sends.</summary>
    internal void Append(NpgsqlBatch batch, ResourceEvent e)
    {
        batch.BatchCommands.Add(Outbox.Insert(e, now));
        HasEvents = true;
        _afterCommit.AddRange(e.Nudges);
    }
}
