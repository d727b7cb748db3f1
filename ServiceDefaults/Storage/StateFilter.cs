namespace Cloud.ServiceDefaults.Storage;

/// <summary>States in the filters of lists.</summary>
public static class StateFilter
{
    /// <summary>Says which of the states asked for are none.</summary>
    public static void Check<TState>(IEnumerable<string> states, FieldProblems problems)
        where TState : struct, Enum
    {
        foreach (var state in states.Where(s => !StateNames<TState>.TryParse(s, out _)))
        {
            problems.Add(
                "states", $"'{state}' is no state; known are {string.Join(", ", StateNames<TState>.All)}",
                ErrorReason.StateUnknown);
        }
    }
}
