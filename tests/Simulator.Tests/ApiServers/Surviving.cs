using System.Net;
using Cloud.TestHost;
using Xunit;
using static Cloud.Simulator.Tests.ApiServers.Manifests;

namespace Cloud.Simulator.Tests.ApiServers;

public sealed class Surviving
{
    [Fact]
    public async Task Everything_is_there_after_a_restart_even_with_a_torn_last_line()
    {
        using var directory = new TemporaryDirectory();
        string revision;
        await using (var before = await RunningCluster.StartAsync(directory.Path))
        {
            await before.PostAsync(Definitions, Widget);
            await before.PostAsync(Widgets, WidgetOf("w", """{"size":"small"}"""));
            await before.PostAsync(ConfigMaps, ConfigMap("gone"));
            await before.DeleteAsync(ConfigMaps + "/gone");
            revision = (await before.PostAsync(ConfigMaps, ConfigMap("a", """{"x":"ö\n\"q\""}"""))).Revision;
        }
        var journal = Directory.EnumerateFiles(Path.Combine(directory.Path, "state", "clusters", "test"),
            "journal-*").Max()!;
        await File.AppendAllTextAsync(journal, """{"k":"configmaps","v":99999,"o":{"apiV""",
            TestContext.Current.CancellationToken);
        await using var after = await RunningCluster.StartAsync(directory.Path);
        var kept = await after.GetAsync(ConfigMaps + "/a");
        Assert.Equal((revision, "ö\n\"q\""), (kept.Revision, kept.At("data", "x")));
        Assert.Equal(HttpStatusCode.NotFound, (await after.GetAsync(ConfigMaps + "/gone")).Code);
        Assert.Equal("small", (await after.GetAsync(Widgets + "/w")).At("spec", "size"));
        var next = await after.PostAsync(ConfigMaps, ConfigMap("b"));
        Assert.True(long.Parse(next.Revision, null) > long.Parse(revision, null));
    }

    [Fact]
    public async Task A_watch_from_before_a_restart_is_told_to_begin_anew()
    {
        using var directory = new TemporaryDirectory();
        await using (var before = await RunningCluster.StartAsync(directory.Path))
        {
            await before.PostAsync(ConfigMaps, ConfigMap("a"));
        }
        await using var after = await RunningCluster.StartAsync(directory.Path);
        using var watch = await after.WatchAsync(ConfigMaps + "?watch=1&resourceVersion=2");
        Assert.Contains("\"code\":410", await watch.ReadLineAsync(TestContext.Current.CancellationToken),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_watches_end_with_the_process()
    {
        var cluster = await RunningCluster.StartAsync();
        using var watch = await cluster.WatchAsync(ConfigMaps + "?watch=1");
        await cluster.DisposeAsync();
        Assert.Null(await watch.ReadLineAsync(TestContext.Current.CancellationToken));
    }
}
