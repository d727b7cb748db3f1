using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Cloud.TestHost.Journeys;

/// <summary>The supervised columns of a row.</summary>
public sealed record RowState(
    string State, long Version, long Epoch, int Attempts, DateTimeOffset? NextAttemptAt, string? WaitingFor,
    string? LastError)
{
    /// <summary>Nothing is due until a request comes.</summary>
    public bool IsAtRest => NextAttemptAt is null;
}

/// <summary>The rows of one noun, whatever their type.</summary>
public abstract class Rows
{
    /// <summary>As its store names it.</summary>
    public abstract string Noun { get; }

    /// <summary>Public names of the states that have a step.</summary>
    public abstract IReadOnlyList<string> Working { get; }

    /// <summary>The row of an id.</summary>
    public abstract Task<RowState?> FindAsync(string id, CancellationToken ct);

    /// <summary>Resource names of all rows there are.</summary>
    public abstract Task<IReadOnlyList<string>> NamesAsync(CancellationToken ct);

    /// <summary>What time does to the claim of a dead process.</summary>
    public abstract Task EndClaimAsync(string id, CancellationToken ct);

    /// <summary>Every noun that a process supervises.</summary>
    public static IReadOnlyList<Rows> Of(IServiceProvider services, IEnumerable<Type> rules) =>
    [
        .. rules.Select(rule => (Rows)ActivatorUtilities.CreateInstance(
            services, typeof(Rows<,>).MakeGenericType(rule.GetGenericArguments()))),
    ];
}

internal sealed class Rows<TRow, TState>(
    SupervisedStore<TRow, TState> store, IRules<TRow, TState> rules, NpgsqlDataSource source) : Rows
    where TRow : SupervisedRow<TState>
    where TState : struct, Enum
{
    public override string Noun => store.Noun;

    public override IReadOnlyList<string> Working =>
        [.. Enum.GetValues<TState>().Where(s => rules.For(s).Step is not null).Select(StateNames<TState>.Of)];

    public override async Task<RowState?> FindAsync(string id, CancellationToken ct) =>
        await store.FindAsync(id, ct) is { } row
            ? new RowState(
                StateNames<TState>.Of(row.State), row.Version, row.Epoch, row.Attempts, row.NextAttemptAt,
                row.WaitingFor, row.LastError)
            : null;

    public override async Task<IReadOnlyList<string>> NamesAsync(CancellationToken ct)
    {
        await using var command = source.CreateCommand($"SELECT id FROM {store.Table}");
        await using var reader = await command.ExecuteReaderAsync(ct);
        var names = new List<string>();
        while (await reader.ReadAsync(ct))
        {
            names.Add(store.NameOf(reader.GetString(0)));
        }

        return names;
    }

    public override async Task EndClaimAsync(string id, CancellationToken ct)
    {
        await using var command = source.CreateCommand(
            $"UPDATE {store.Table} SET claimed_until = NULL, claimed_by = NULL WHERE id = $1");
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = id });
        await command.ExecuteNonQueryAsync(ct);
    }
}
