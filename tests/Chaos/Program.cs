using System.CommandLine;
using System.Globalization;
using Cloud.Chaos;

// ./cloud chaos: breaks a world of its own in every way that must not matter, and looks whether anything was lost.
var seed = new Option<int>("--seed") { Description = "all choices come from it", DefaultValueFactory = _ => 1 };
var seeds = new Option<string?>("--seeds") { Description = "several, one after the other: 1..50" };
var minutes = new Option<double>("--minutes")
{
    Description = "how long there is chaos, per seed; calm and checks come on top", DefaultValueFactory = _ => 1,
};
var output = new Option<string>("--output")
{
    Description = "where each run leaves its timeline and its logs",
    DefaultValueFactory = _ => Path.Combine(AppContext.BaseDirectory, "..", "..", "..", "chaos"),
};
var command = new RootCommand(
    "Runs the whole cloud under a seeded mix of requests and sabotage, then checks the outside world for anything that "
    + "was lost, doubled or left behind.")
{
    seed, seeds, minutes, output,
};
command.SetAction(async (parsed, ct) =>
{
    var chosen = parsed.GetValue(seeds) is { } range ? SeedRange.Parse(range) : [parsed.GetValue(seed)];
    return await new Series(
        TimeSpan.FromMinutes(parsed.GetValue(minutes)), Path.GetFullPath(parsed.GetValue(output)!))
        .RunAsync(chosen, ct);
});
// Ctrl+C stops the world in order, which takes its time.
var patient = new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromMinutes(1) };
return await command.Parse(args).InvokeAsync(patient);

namespace Cloud.Chaos
{
    /// <summary><c>1..50</c>, both ends included, or a single number.</summary>
    internal static class SeedRange
    {
        /// <exception cref="FormatException">It is neither.</exception>
        public static IReadOnlyList<int> Parse(string text)
        {
            var ends = text.Split("..").Select(end => int.Parse(end, CultureInfo.InvariantCulture)).ToList();
            return ends.Count is 1 or 2 && ends[^1] >= ends[0]
                ? [.. Enumerable.Range(ends[0], ends[^1] - ends[0] + 1)]
                : throw new FormatException($"'{text}' is no range of seeds; write 1..50.");
        }
    }
}
