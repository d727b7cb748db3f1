using System.CommandLine;
using Cloud.Benchmarks.Engine;
using Cloud.Benchmarks.Idling;
using Cloud.Benchmarks.Latency;
using Cloud.Benchmarks.Measuring;
using Cloud.Benchmarks.Provisioning;
using Cloud.Benchmarks.Reading;

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
// Ctrl+C stops what was started and removes its files, which takes longer than the two seconds of the default.
var patient = new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromMinutes(1) };

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

var count = new Option<int>("--count") { DefaultValueFactory = _ => 1000 };
var clusters = new Option<int>("--clusters") { DefaultValueFactory = _ => 10 };
var provision = new Command(ProvisionBench.Verb, "many workspaces from nothing to stable") { count, clusters };
provision.SetAction((parsed, ct) =>
    new ProvisionBench(ReportOf(parsed)).RunAsync(parsed.GetValue(count), parsed.GetValue(clusters), ct));
root.Add(provision);

var rows = new Option<int>("--count") { DefaultValueFactory = _ => 10_000 };
var reads = new Command(ReadsBench.Verb, "Get and List over many installations") { rows };
reads.SetAction((parsed, ct) =>
    new ReadsBench(ReportOf(parsed)).RunAsync(parsed.GetValue(rows), parsed.GetValue(runs), ct));
root.Add(reads);

var seconds = new Option<int>("--seconds") { DefaultValueFactory = _ => 60 };
var idle = new Command(IdleBench.Verb, "what a large fleet costs in which nothing happens") { rows, clusters, seconds };
idle.SetAction((parsed, ct) => new IdleBench(ReportOf(parsed)).RunAsync(
    parsed.GetValue(rows), parsed.GetValue(clusters), TimeSpan.FromSeconds(parsed.GetValue(seconds)), ct));
root.Add(idle);

// No verb: each of them, as it is by default.
root.SetAction(async (_, ct) =>
{
    foreach (var verb in new[] { engine, latency, provision, reads, idle })
    {
        var code = await root.Parse([verb.Name, .. args]).InvokeAsync(patient, ct);
        if (code != 0)
        {
            return code;
        }
    }

    return 0;
});

var connection = new Argument<string>("connection string");
var port = new Argument<int>("port");
var serve = new Command(BareReads.Verb) { connection, port };
serve.Hidden = true;
serve.SetAction((parsed, ct) =>
    BareReads.ServeAsync(parsed.GetRequiredValue(connection), parsed.GetRequiredValue(port), ct));
root.Add(serve);

return await root.Parse(args).InvokeAsync(patient);

Report ReportOf(ParseResult parsed) =>
    new(parsed.GetValue(output) == "json", parsed.GetValue(write)?.FullName);
