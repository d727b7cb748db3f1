using Cloud.TestHost;
using Grpc.Core;
using Xunit;

namespace Cloud.System.Tests;

/// <summary>A story about the running world. Where it fails, it tells how the world is: what the AppHost printed, which
/// workspaces are under way and why, and what the programs complained of.</summary>
[Collection(TheWorld.Name)]
public abstract class Story(RunningWorld world) : IAsyncDisposable
{
    private const int LinesPerProgram = 6;
    private const int LineLength = 400;
    private static readonly string[] Complaints = [" warn: ", " fail: ", " crit: ", "Unhandled exception"];

    /// <summary>The world of the stories.</summary>
    protected RunningWorld World { get; } = world.HasEnded
        ? throw new InvalidOperationException($"The world has ended:\n{world.Output}")
        : world;

    /// <summary>Ends when what a story waits for does not come.</summary>
    protected static CancellationToken Token => Patience.Token;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (TestContext.Current.TestState?.Result != TestResult.Failed)
        {
            return;
        }

        Tell("What the AppHost printed:", World.Output.Split('\n').TakeLast(40));
        foreach (var log in Directory.EnumerateFiles(Path.Combine(World.StatePath, "logs")).Order())
        {
            Tell($"The end of {Path.GetFileName(log)}:", EndOf(log));
        }

        try
        {
            Tell("Workspaces under way:", await UnderWayAsync());
        }
        catch (RpcException e)
        {
            Tell("Workspaces cannot be listed:", [e.Status.ToString()]);
        }
    }

    private static void Tell(string heading, IEnumerable<string> lines)
    {
        var output = TestContext.Current.TestOutputHelper!;
        output.WriteLine(heading);
        foreach (var line in lines)
        {
            output.WriteLine($"    {(line.Length > LineLength ? line[..LineLength] : line)}");
        }
    }

    /// <summary>The last complaints, and the last line.</summary>
    private static IEnumerable<string> EndOf(string log)
    {
        using var file = new FileStream(log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var reader = new StreamReader(file);
        var lines = reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return lines.Where(line => Complaints.Any(sign => line.Contains(sign, StringComparison.Ordinal)))
            .TakeLast(LinesPerProgram)
            .Concat(lines.TakeLast(1));
    }

    private async Task<List<string>> UnderWayAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        var told = new List<string>();
        var all = await World.Installations.ListInstallationsAsync(
            new() { PageSize = 200 }, cancellationToken: limit.Token);
        foreach (var installation in all.Installations.Where(i => i.State != "stable"))
        {
            var why = await World.Installations.WhyInstallationAsync(
                new() { Name = installation.Name }, cancellationToken: limit.Token);
            told.Add($"{installation.DnsNames[0]} is {installation.State}");
            told.AddRange(why.Chain.Select(link => $"  {link}"));
        }

        return told;
    }
}
