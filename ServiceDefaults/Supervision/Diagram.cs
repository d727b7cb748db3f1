using System.Text;

namespace Cloud.ServiceDefaults.Supervision;

/// <summary>Draws a table of rules as a mermaid state diagram, for the README of its service. A test compares the
/// two, so the picture is never older than the code.</summary>
public static class Diagram
{
    /// <summary>The diagram, lines ended by <c>\n</c>. States at rest end in <c>[*]</c>; ways to a failed state are
    /// dotted in words: <c>gives up</c>.</summary>
    public static string Of<TRow, TState>(IRules<TRow, TState> rules)
        where TRow : SupervisedRow<TState>
        where TState : struct, Enum
    {
        var text = new StringBuilder("stateDiagram-v2\n");
        foreach (var state in Enum.GetValues<TState>())
        {
            var rule = rules.For(state);
            var from = StateNames<TState>.Of(state);
            foreach (var to in rule.To)
            {
                text.Append($"    {from} --> {StateNames<TState>.Of(to)}\n");
            }

            if (rule.OnFailure is { } failed && !rule.To.Contains(failed))
            {
                text.Append($"    {from} --> {StateNames<TState>.Of(failed)} : gives up\n");
            }

            if (rule.Step is null)
            {
                text.Append($"    {from} --> [*]\n");
            }
        }

        return text.ToString();
    }
}
