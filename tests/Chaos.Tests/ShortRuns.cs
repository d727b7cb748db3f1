using Xunit;

namespace Cloud.Chaos.Tests;

/// <summary>A short run with every test run; <c>./cloud chaos</c> is for the long ones and for other seeds.</summary>
public sealed class ShortRuns
{
    private static readonly TimeSpan Time = TimeSpan.FromSeconds(40);

    [Theory]
    [InlineData(7)]
    public async Task Nothing_is_lost_doubled_or_left_behind(int seed)
    {
        var folder = Path.GetFullPath(
            Path.Combine(AppContext.BaseDirectory, "..", "..", "..", "chaos", $"test-seed-{seed}"));

        var result = await ChaosRun.RunAsync(seed, Time, folder, TestContext.Current.CancellationToken);

        Assert.True(result.Breaches.Count == 0, result.Tell(folder));
        Assert.True(result is { Acknowledged: > 0, Deeds: > 0 }, "Nothing was asked, or nothing was broken.");
    }
}
