using System.Globalization;
using System.Text.Json;

namespace Cloud.Benchmarks.Measuring;

/// <summary>Prints what was measured, a table for people or a line of JSON per number for programs, and writes it into
/// <c>docs/benchmarks.md</c> when asked to.</summary>
internal sealed class Report(bool json, string? document)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    /// <summary>Described when the report is begun, so that its load is not the measuring's own.</summary>
    private readonly string _machine = Machine.Describe();

    /// <summary>Progress, for who waits.</summary>
    public static void Note(string verb, string text) => Console.Error.WriteLine($"{verb}: {text}");

    /// <summary>As above, for one of several runs; those below 0 warm up.</summary>
    public static void Note(string verb, string text, int run, int runs) =>
        Note(verb, $"{text}, {(run < 0 ? "warming up" : $"run {run + 1} of {runs}")}");

    /// <summary>The numbers of one verb.</summary>
    /// <param name="how">What was done, for a reader who knows the product.</param>
    public async Task AddAsync(string verb, string how, IReadOnlyList<Measurement> measured, CancellationToken ct)
    {
        foreach (var line in json ? measured.Select(m => AsJson(verb, m)) : [verb + ": " + how, .. AsTable(measured)])
        {
            Console.WriteLine(line);
        }

        if (document is not null)
        {
            await Document.ReplaceAsync(
                document, verb, [how, "", _machine, "", .. AsMarkdown(measured)], ct);
        }
    }

    private string AsJson(string verb, Measurement m) => JsonSerializer.Serialize(
        new
        {
            verb,
            m.Name,
            m.Unit,
            m.Median,
            Least = m.Runs.Min(),
            Most = m.Runs.Max(),
            m.Runs,
            m.Floor,
            m.Floors,
            m.Ratio,
            Goals = m.Goals.Select(g => new { Goal = g.Describe(), Met = g.IsMet(m.Median, m.Floor) }),
            Machine = _machine,
        },
        Json);

    private static IEnumerable<string> AsTable(IReadOnlyList<Measurement> measured) =>
        Cells(measured).Select(cells => string.Concat(cells.Select((cell, column) => column == 0
            ? cell.PadRight(54)
            : cell.PadLeft(column == 6 ? 28 : 13))).TrimEnd());

    private static IEnumerable<string> AsMarkdown(IReadOnlyList<Measurement> measured)
    {
        var rows = Cells(measured).Select(cells => $"| {string.Join(" | ", cells)} |").ToList();
        return [rows[0], "|---|---|---|---|---|---|---|", .. rows[1..]];
    }

    private static IEnumerable<string[]> Cells(IReadOnlyList<Measurement> measured) =>
        measured.Select(m => new[]
        {
            m.Name,
            m.Unit,
            Number(m.Median),
            m.Runs.Count == 1 ? "" : $"{Number(m.Runs.Min())}..{Number(m.Runs.Max())}",
            Number(m.Floor),
            Number(m.Ratio),
            string.Join(", ", m.Goals.Select(g => g.Describe() + (g.IsMet(m.Median, m.Floor) switch
            {
                true => " met",
                false => " MISSED",
                null => "",
            }))),
        }).Prepend(["", "unit", "median", "runs", "floor", "ratio", "goal"]);

    private static string Number(double? value) => value is not { } number ? "" : number.ToString(
        number >= 1000 ? "0" : number >= 10 ? "0.0" : "0.00", CultureInfo.InvariantCulture);
}
