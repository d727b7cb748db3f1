using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Cloud.Cli;

/// <summary>How large the numbers of options may be, and which options go together. What a service allows it says
/// itself; here stands what can be sent or waited for at all, so that a wrong word is told before anything is
/// asked.</summary>
internal static class Bounds
{
    /// <summary>Timers do not go much further.</summary>
    public static readonly TimeSpan LongestTimeout = TimeSpan.FromDays(30);

    /// <summary>Far beyond what any service allows.</summary>
    public static readonly TimeSpan LongestSpan = TimeSpan.FromDays(3650);

    /// <summary>As numbers of options are read.</summary>
    private const NumberStyles Numbers = NumberStyles.Float | NumberStyles.AllowThousands;

    /// <summary>From the least on.</summary>
    public static T From<T>(this T option, double least, double most)
        where T : Option =>
        option.Within(number => number >= least && number <= most, $"{least:0} to {most:0}");

    /// <summary>More than what is given.</summary>
    public static T Above<T>(this T option, double less, double most)
        where T : Option =>
        option.Within(number => number > less && number <= most, $"more than {less:0}, and at most {most:0}");

    /// <summary>Options that contradict each other: one of them would be passed over in silence.</summary>
    public static void Excludes(this Command command, Option one, Symbol other) =>
        command.Validators.Add(result =>
        {
            if (IsGiven(result, one) && IsGiven(result, other))
            {
                result.AddError($"{one.Name} and {other.Name} contradict each other.");
            }
        });

    /// <summary>An option that says something only beside another.</summary>
    public static void Needs(this Command command, Option one, Option other) =>
        command.Validators.Add(result =>
        {
            if (IsGiven(result, one) && !IsGiven(result, other))
            {
                result.AddError($"{one.Name} goes with {other.Name} only.");
            }
        });

    private static bool IsGiven(CommandResult command, Symbol symbol) => symbol switch
    {
        Option option => command.GetResult(option) is { Implicit: false },
        Argument argument => command.GetResult(argument) is { Tokens.Count: > 0 },
        _ => false,
    };

    private static T Within<T>(this T option, Func<double, bool> fits, string words)
        where T : Option
    {
        option.Validators.Add(result =>
        {
            // What is no number at all is told when it is read.
            foreach (var text in result.Tokens.Select(token => token.Value))
            {
                if (double.TryParse(text, Numbers, CultureInfo.InvariantCulture, out var number)
                    && !fits(number))
                {
                    result.AddError($"{option.Name} takes {words}, not {text}.");
                }
            }
        });
        return option;
    }
}
