using System.Globalization;
using Cloud.Simulator.Controllers;

namespace Cloud.Simulator.Applications;

/// <summary>
/// A container that nothing is known about: it runs until stopped, or completes at once where completion is expected.
/// The few commands that people and tests use to make a container end are understood: <c>true</c>, <c>false</c>,
/// <c>exit N</c> and <c>sleep N</c>.
/// </summary>
internal sealed class PlainContainer(TimeProvider clock) : IContainerProgram
{
    public bool DiesWithSimulator => false;

    public async Task<ContainerExit> RunAsync(ContainerStart start, Action ready, CancellationToken stop)
    {
        var words = Words(start).ToList();
        for (var i = 0; i < words.Count && words[i] != "while"; i++)
        {
            var follows = i + 1 < words.Count ? words[i + 1] : "";
            var isNumber = int.TryParse(follows, CultureInfo.InvariantCulture, out var number);
            if (words[i] == "false") return new ContainerExit(1, "");
            if (words[i] == "true") return ContainerExit.Completed;
            if (words[i] == "exit") return new ContainerExit(number, "");
            if (words[i] != "sleep" || !isNumber) continue;
            ready();
            await Task.Delay(TimeSpan.FromSeconds(number), clock, stop);
            if (!words.Contains("exit")) return ContainerExit.Completed;
        }
        if (start.RunsToCompletion) return ContainerExit.Completed;
        ready();
        await Task.Delay(Timeout.InfiniteTimeSpan, clock, stop);
        return ContainerExit.Stopped;
    }

    private static IEnumerable<string> Words(ContainerStart start)
    {
        var parts = start.Container.Texts("command").Concat(start.Container.Texts("args"));
        return parts.SelectMany(p => p.Split([' ', ';', '&', '\n'], StringSplitOptions.RemoveEmptyEntries));
    }
}
