using System.Collections.Frozen;
using System.Text.Json;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>The one mapping between a state enum and its public names: <c>CreationRequested</c> is
/// <c>creation-requested</c> on the wire and in PostgreSQL.</summary>
public static class StateNames<TState>
    where TState : struct, Enum
{
    private static readonly FrozenDictionary<TState, string> NameByState =
        Enum.GetValues<TState>().ToFrozenDictionary(
            state => state, state => JsonNamingPolicy.KebabCaseLower.ConvertName(state.ToString()));

    private static readonly FrozenDictionary<string, TState> StateByName =
        NameByState.ToFrozenDictionary(pair => pair.Value, pair => pair.Key, StringComparer.Ordinal);

    /// <summary>Every name, in the order of the enum.</summary>
    public static IReadOnlyList<string> All { get; } = [.. Enum.GetValues<TState>().Select(s => NameByState[s])];

    /// <summary>The public name of a state.</summary>
    public static string Of(TState state) => NameByState[state];

    /// <summary>The state of a public name.</summary>
    /// <exception cref="FormatException">The name is not one of <see cref="All"/>: a row written by newer
    /// code.</exception>
    public static TState Parse(string name) => TryParse(name, out var state)
        ? state
        : throw new FormatException($"'{name}' is not a {typeof(TState).Name}; known are {string.Join(", ", All)}.");

    /// <summary>The state of a public name, if it is one.</summary>
    public static bool TryParse(string? name, out TState state)
    {
        state = default;
        return name is not null && StateByName.TryGetValue(name, out state);
    }
}
