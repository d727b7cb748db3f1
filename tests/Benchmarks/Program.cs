using System.CommandLine;
using Cloud.Benchmarks.Engine;
using Cloud.Benchmarks.Latency;
using Cloud.Benchmarks.Measuring;

// ./cloud bench [verb]: starts what it measures by itself, in Release, and asserts nothing.
var output = new Option<string>("--output")
{
    Description = "table or json", DefaultValueFactory = _ => "table", Recursive = true,
};
output.AcceptOnlyFromAmong("table", "json");
var write = new Option<FileInfo?>("--write")
{
    Description = "also put the numbers into this document", Recursive = true,
};
var runs = new Option<int>("--runs")
{
    Description = "runs of each measurement", DefaultValueFactory = _ => 3, Recursive = true,
};
var root = new RootCommand("Measures Cloud, each number with a floor of the same run.") { output, write, runs };

var steps = new Option<int>("--steps") { DefaultValueFactory = _ => 10_000 };
var engine = new Command(EngineBench.Verb, "steps per second of the loop") { steps };
engine.SetAction((parsed, ct) =>
    new EngineBench(ReportOf(parsed)).RunAsync(parsed.GetValue(steps), parsed.GetValue(runs), ct));
root.Add(engine);

var requests = new Option<int>("--count") { DefaultValueFactory = _ => 400 };
var perSecond = new Option<int>("--per-second") { DefaultValueFactory = _ => 20 };
var latency = new Command(LatencyBench.Verb, "idle time between request, steps and nudges") { requests, perSecond };
latency.SetAction((parsed, ct) => new LatencyBench(ReportOf(parsed))
    .RunAsync(parsed.GetValue(requests), parsed.GetValue(perSecond), parsed.GetValue(runs), ct));
root.Add(latency);

return await root.Parse(args).InvokeAsync();

Report ReportOf(ParseResult parsed) =>
    new(parsed.GetValue(output) == "json", parsed.GetValue(write)?.FullName);
