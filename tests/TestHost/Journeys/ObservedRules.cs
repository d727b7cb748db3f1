using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Microsoft.Extensions.DependencyInjection;

namespace Cloud.TestHost.Journeys;

/// <summary>The table of a noun as it is, with each step telling the life it works for that it runs; run twice where
/// that life wants it.</summary>
internal sealed class ObservedRules<TRow, TState>(IRules<TRow, TState> rules, LifeFaults faults) : IRules<TRow, TState>
    where TRow : SupervisedRow<TState>
    where TState : struct, Enum
{
    public Rule<TRow, TState> For(TState state)
    {
        var rule = rules.For(state);
        return rule.Step is { } step ? rule with { Step = (row, ct) => RunAsync(state, step, row, ct) } : rule;
    }

    private async Task<Outcome<TRow, TState>> RunAsync(
        TState state, Step<TRow, TState> step, TRow row, CancellationToken ct)
    {
        if (faults.CurrentFlow is not { } flow)
        {
            return await step(row, ct);
        }

        flow.Enter(StateNames<TState>.Of(state));
        try
        {
            if (flow.Life.Fault.Kind == FaultKind.Twice)
            {
                await step(row, ct);
            }

            var outcome = await step(row, ct);
            flow.Life.StepEnded(outcome is Outcome<TRow, TState>.Wait ? StepEnd.Wait : StepEnd.Go);
            return outcome;
        }
        catch
        {
            flow.Life.StepEnded(StepEnd.Failure);
            throw;
        }
    }
}

/// <summary>Puts <see cref="ObservedRules{TRow,TState}"/> before every table of a service.</summary>
internal static class Observing
{
    /// <returns>The tables: closed types of <see cref="IRules{TRow,TState}"/>.</returns>
    public static IReadOnlyList<Type> ObserveRules(this IServiceCollection services, LifeFaults faults)
    {
        var tables = services.Where(s => s.ServiceType is { IsGenericType: true } type
            && type.GetGenericTypeDefinition() == typeof(IRules<,>)).ToList();
        foreach (var table in tables)
        {
            services.Remove(table);
            var observed = typeof(ObservedRules<,>).MakeGenericType(table.ServiceType.GetGenericArguments());
            services.AddSingleton(table.ServiceType, provider =>
                Activator.CreateInstance(observed, table.ImplementationFactory!(provider), faults)!);
        }

        return [.. tables.Select(table => table.ServiceType)];
    }
}
