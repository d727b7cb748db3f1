using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Cloud.ServiceDefaults.Supervision;

/// <summary>How a service says that a noun is supervised.</summary>
public static class SupervisionServices
{
    /// <summary>Registers store and rules of a noun (singletons) and runs its supervisor.</summary>
    /// <param name="configure">Limits; see <see cref="SupervisorOptions{TRow}"/>.</param>
    public static IServiceCollection AddSupervisor<TRow, TState, TStore, TRules>(
        this IServiceCollection services, Action<SupervisorOptions<TRow>>? configure = null)
        where TRow : SupervisedRow<TState>
        where TState : struct, Enum
        where TStore : SupervisedStore<TRow, TState>
        where TRules : class, IRules<TRow, TState>
    {
        services.Configure(configure ?? (_ => { }));
        services.TryAddSingleton<TStore>();
        services.TryAddSingleton<SupervisedStore<TRow, TState>>(provider => provider.GetRequiredService<TStore>());
        services.TryAddSingleton<TRules>();
        services.TryAddSingleton<IRules<TRow, TState>>(provider => provider.GetRequiredService<TRules>());
        services.AddSingleton(provider => new WorkingStates(
            provider.GetRequiredService<TStore>().Noun,
            StatesWithStep(provider.GetRequiredService<IRules<TRow, TState>>())));
        services.AddHostedService<Supervisor<TRow, TState>>();
        return services;
    }

    /// <summary>The names of the states in which a row is worked on.</summary>
    internal static IReadOnlyList<string> StatesWithStep<TRow, TState>(IRules<TRow, TState> rules)
        where TRow : SupervisedRow<TState>
        where TState : struct, Enum =>
        [.. Enum.GetValues<TState>().Where(s => rules.For(s).Step is not null).Select(StateNames<TState>.Of)];

    /// <summary>What every supervisor shares. Part of AddServiceDefaults.</summary>
    internal static IServiceCollection AddSupervision(this IServiceCollection services)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<Checkpoints>();
        services.TryAddSingleton<SupervisionMeter>();
        services.TryAddSingleton<LoopHealth>();
        services.TryAddSingleton<Leases>();
        services.TryAddSingleton<INudges, RedisNudges>();
        return services;
    }
}
