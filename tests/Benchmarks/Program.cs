using System.Globalization;
using Cloud.Benchmarks;

// ./cloud bench [workspaces] [idle seconds]: measures the world that runs here. Nothing is asserted; numbers are
// printed.
var together = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 100;
var idleSeconds = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 30;
var offset = int.Parse(Environment.GetEnvironmentVariable("CLOUD_PORT_OFFSET") ?? "0", CultureInfo.InvariantCulture);

using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, pressed) =>
{
    pressed.Cancel = true;
    stop.Cancel();
};

Report.Machine();
using var world = new World(offset);
var workspaces = new Workspaces(world);
await workspaces.OneAfterTheOtherAsync(count: 7, stop.Token);
await workspaces.TogetherAsync(together, stop.Token);
await IdleCost.MeasureAsync(TimeSpan.FromSeconds(idleSeconds), stop.Token);
await workspaces.RemoveAllAsync(stop.Token);
