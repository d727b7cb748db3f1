using System.Reflection;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Cloud.TestHost;

/// <summary>Sends every statement that the loop of a noun sends, with what the real loop would ask for.</summary>
public static class LoopStatements
{
    /// <summary>The loop's statements on one table. Nothing that is at rest changes.</summary>
    /// <param name="dueId">A row that is due.</param>
    /// <returns>Statements of the machinery that were not sent, except inserting; none, unless it has learned new
    /// ones.</returns>
    public static async Task<IReadOnlyList<string>> SendAsync<TRow, TState>(
        IServiceProvider services, string dueId, QueryPlans plans, CancellationToken ct)
        where TRow : SupervisedRow<TState>
        where TState : struct, Enum
    {
        var store = services.GetRequiredService<SupervisedStore<TRow, TState>>();
        var rules = services.GetRequiredService<IRules<TRow, TState>>();
        var key = services.GetRequiredService<IOptions<SupervisorOptions<TRow>>>().Value.BulkheadBy is { } by
            ? Supervisor<TRow, TState>.ColumnOf(by)
            : null;
        var order = Supervisor<TRow, TState>.OrderBy(rules);
        foreach (var busy in new string[][] { [], [dueId] })
        {
            await store.DueAsync(new DueQuery(order, busy, key, busy, Supervisor<TRow, TState>.RowsPerLookMax), ct);
        }

        await store.NextDueAsync(ct);
        await store.CountDueAsync(ct);
        await store.WakeForgottenAsync(
            [.. Enum.GetValues<TState>().Where(s => rules.For(s).Step is not null).Select(StateNames<TState>.Of)], ct);
        await store.UnansweredAsync([(dueId, store.Now)], ct);
        var terms = new ClaimTerms("a worker", TimeSpan.FromSeconds(10), store.Now, LeaseHeld: true);
        var row = await store.ClaimAsync(dueId, terms, ct)
            ?? throw new InvalidOperationException($"{store.NameOf(dueId)} is not due.");
        await store.PullForwardAsync(dueId, store.Now, TimeSpan.FromSeconds(1), ct);
        foreach (var tell in new[] { false, true })
        {
            var after = row with { Version = row.Version + 1 };
            await store.SaveAsync(row, store.Stamped(row, new Transition<TRow>(after, "for its plan", tell)), ct);
            row = after;
        }

        await store.ReleaseAsync(row, dueNow: true, ct);
        await store.SetAsideAsync("nobody", "a worker", Failure.Of(new TimeoutException()), ct);
        await services.GetRequiredService<Database>().RehearseAsync(
            (tx, token) => store.ChangeAsync(tx, dueId, same => same, null, token), ct);
        var sql = new SupervisedSql<TRow, TState>(store.Table);
        return
        [
            .. typeof(SupervisedSql<TRow, TState>).GetProperties(BindingFlags.Instance | BindingFlags.Public)
                .Where(p => !plans.All.Any(s => s.Sql.StartsWith((string)p.GetValue(sql)!, StringComparison.Ordinal)))
                .Select(p => p.Name).Except([nameof(sql.Insert)]),
        ];
    }
}
