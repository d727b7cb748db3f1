using System.Globalization;

namespace Cloud.Simulator.ApiServers.Selectors;

/// <summary>A label selector, equality and set based, as clients write it in a query.</summary>
public sealed class LabelSelector
{
    private readonly IReadOnlyList<Requirement> _requirements;

    private LabelSelector(IReadOnlyList<Requirement> requirements) => _requirements = requirements;

    private enum Operator
    {
        In,
        NotIn,
        Exists,
        NotExists,
        Greater,
        Less,
    }

    /// <summary>Reads a selector; null or blank selects everything. 400 when it cannot be understood.</summary>
    public static LabelSelector? Parse(string? text)
    {
        if (string.IsNullOrWhiteSpace(text)) return null;
        return new LabelSelector([.. SplitOutsideParentheses(text).Select(ParseRequirement)]);
    }

    public bool Matches(IReadOnlyDictionary<string, string> labels)
    {
        foreach (var requirement in _requirements)
        {
            if (!Holds(requirement, labels)) return false;
        }
        return true;
    }

    private static bool Holds(Requirement requirement, IReadOnlyDictionary<string, string> labels)
    {
        var has = labels.TryGetValue(requirement.Key, out var value);
        return requirement.Operator switch
        {
            Operator.In => has && requirement.Values.Contains(value!),
            Operator.NotIn => !has || !requirement.Values.Contains(value!),
            Operator.Exists => has,
            Operator.NotExists => !has,
            Operator.Greater => Compare(value, requirement) > 0,
            Operator.Less => Compare(value, requirement) < 0,
        };
    }

    private static int Compare(string? value, Requirement requirement) =>
        long.TryParse(value, CultureInfo.InvariantCulture, out var own)
        && long.TryParse(requirement.Values.First(), CultureInfo.InvariantCulture, out var limit)
            ? own.CompareTo(limit)
            : 0;

    private static Requirement ParseRequirement(string text)
    {
        text = text.Trim();
        if (text.StartsWith('!')) return new Requirement(Key(text[1..], text), Operator.NotExists, []);
        var open = text.IndexOf('(', StringComparison.Ordinal);
        if (open >= 0) return ParseSet(text, open);
        foreach (var (sign, op) in new[]
        {
            ("!=", Operator.NotIn), ("==", Operator.In), ("=", Operator.In), (">", Operator.Greater),
                ("<", Operator.Less),
        })
        {
            var at = text.IndexOf(sign, StringComparison.Ordinal);
            if (at < 0) continue;
            return new Requirement(Key(text[..at], text), op, [text[(at + sign.Length)..].Trim()]);
        }
        return new Requirement(Key(text, text), Operator.Exists, []);
    }

    private static Requirement ParseSet(string text, int open)
    {
        var words = text[..open].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words.Length != 2 || words[1] is not ("in" or "notin") || !text.EndsWith(')')) throw Unreadable(text);
        var values = text[(open + 1)..^1].Split(',').Select(v => v.Trim()).ToHashSet(StringComparer.Ordinal);
        return new Requirement(Key(words[0], text), words[1] == "in" ? Operator.In : Operator.NotIn, values);
    }

    private static string Key(string key, string text)
    {
        key = key.Trim();
        return key.Length > 0 && !key.Contains(' ', StringComparison.Ordinal) ? key : throw Unreadable(text);
    }

    private static IEnumerable<string> SplitOutsideParentheses(string text)
    {
        var (depth, start) = (0, 0);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '(') depth++;
            else if (text[i] == ')') depth--;
            else if (text[i] == ',' && depth == 0)
            {
                yield return text[start..i];
                start = i + 1;
            }
        }
        yield return text[start..];
    }

    private static ApiException Unreadable(string text) =>
        ApiErrors.BadRequest(
            $"unable to parse requirement: found '{text}', expected: a key, or one with =, ==, !=, in, notin");

    private sealed record Requirement(string Key, Operator Operator, IReadOnlySet<string> Values)
    {
        public Requirement(string key, Operator op, string[] values)
            : this(key, op, new HashSet<string>(values, StringComparer.Ordinal))
        {
        }
    }
}
