using Npgsql;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>A service's own PostgreSQL schema. Work that belongs together runs in one transaction; events appended in
/// it are committed with it, and only after the commit is anybody told: nudges of the events, then the
/// outbox.</summary>
/// <remarks>A crash between commit and nudge loses the nudge alone: the row is due in PostgreSQL and the supervisor's
/// timer or sweep finds it; the outbox has its own sweep.</remarks>
public sealed class Database(
    NpgsqlDataSource source,
    INudges nudges,
    OutboxSignal outbox,
    CommitHints hints,
    Checkpoints checkpoints,
    TimeProvider time)
{
    /// <summary>Now, in the resolution of PostgreSQL (microseconds), so that a value read back equals the one
    /// written.</summary>
    public DateTimeOffset Now
    {
        get
        {
            var now = time.GetUtcNow();
            return now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMicrosecond));
        }
    }

    /// <summary>The clock everything here goes by.</summary>
    public TimeProvider Time => time;

    /// <summary>The pool of connections, for commands that need no transaction.</summary>
    public NpgsqlDataSource Source => source;

    internal Checkpoints Checkpoints => checkpoints;

    /// <summary>An open connection of the pool; the caller disposes it.</summary>
    public async Task<NpgsqlConnection> OpenAsync(CancellationToken ct) => await source.OpenConnectionAsync(ct);

    /// <summary>Runs <paramref name="work"/> in one READ COMMITTED transaction and commits. An exception rolls
    /// back.</summary>
    public async Task<T> InTransactionAsync<T>(
        Func<DatabaseTransaction, CancellationToken, Task<T>> work, CancellationToken ct)
    {
        await using var connection = await source.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        var scope = new DatabaseTransaction(connection, transaction, Now);
        var result = await work(scope, ct);
        if (scope.HasEvents || scope.AfterCommit.Count > 0)
        {
            await hints.SayAsync(ct);
        }

        await checkpoints.PassAsync("transaction.before-commit", ct);
        await transaction.CommitAsync(ct);
        await checkpoints.PassAsync("transaction.after-commit", ct);
        await TellAsync(scope.AfterCommit, scope.HasEvents, ct);
        return result;
    }

    /// <summary>As above, for work without a result.</summary>
    public Task InTransactionAsync(Func<DatabaseTransaction, CancellationToken, Task> work, CancellationToken ct) =>
        InTransactionAsync(
            async (transaction, token) =>
            {
                await work(transaction, token);
                return true;
            },
            ct);

    /// <summary>Runs <paramref name="work"/> as <see cref="InTransactionAsync{T}"/> does and then undoes it: nothing is
    /// written and nobody is told. Answers what it would have answered, or throws what it would have thrown.</summary>
    public async Task<T> RehearseAsync<T>(
        Func<DatabaseTransaction, CancellationToken, Task<T>> work, CancellationToken ct)
    {
        await using var connection = await source.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        var result = await work(new DatabaseTransaction(connection, transaction, Now), ct);
        await transaction.RollbackAsync(ct);
        return result;
    }

    /// <summary>Says that something will be committed that somebody waits for.</summary>
    internal Task HintAsync(CancellationToken ct) => hints.SayAsync(ct);

    /// <summary>Tells who waits, after something was committed.</summary>
    internal async Task TellAsync(IReadOnlyList<Nudge> waiting, bool hasEvents, CancellationToken ct)
    {
        if (hasEvents)
        {
            outbox.Raise();
        }

        foreach (var nudge in waiting)
        {
            await nudges.SendAsync(nudge, ct);
        }

        await checkpoints.PassAsync("tell.after", ct);
    }
}
