using System.Net;
using Microsoft.Extensions.Time.Testing;
using Xunit;
using static Cloud.Simulator.Tests.ApiServers.Manifests;

namespace Cloud.Simulator.Tests.ApiServers;

public sealed class Watching : IAsyncLifetime
{
    private const int History = 5;
    private readonly FakeTimeProvider _clock = new();
    private RunningCluster _cluster = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() =>
        _cluster = await RunningCluster.StartAsync(clock: _clock, watchHistory: History);

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    [Fact]
    public async Task A_watch_begins_with_what_is_there_and_goes_on()
    {
        await _cluster.PostAsync(ConfigMaps, ConfigMap("a"));
        using var watch = await _cluster.WatchAsync(ConfigMaps + "?watch=1");
        Assert.Equal("ADDED a", await RunningCluster.NextAsync(watch));
        await _cluster.PostAsync(ConfigMaps, ConfigMap("b"));
        await _cluster.MergeAsync(ConfigMaps + "/a", """{"data":{"x":"1"}}""");
        await _cluster.DeleteAsync(ConfigMaps + "/b");
        Assert.Equal("ADDED b", await RunningCluster.NextAsync(watch));
        Assert.Equal("MODIFIED a", await RunningCluster.NextAsync(watch));
        Assert.Equal("DELETED b", await RunningCluster.NextAsync(watch));
    }

    [Fact]
    public async Task A_watch_resumes_after_a_revision()
    {
        var first = await _cluster.PostAsync(ConfigMaps, ConfigMap("a"));
        await _cluster.PostAsync(ConfigMaps, ConfigMap("b"));
        using var watch = await _cluster.WatchAsync($"{ConfigMaps}?watch=1&resourceVersion={first.Revision}");
        Assert.Equal("ADDED b", await RunningCluster.NextAsync(watch));
    }

    [Fact]
    public async Task An_object_enters_and_leaves_a_selection()
    {
        await _cluster.PostAsync(ConfigMaps, ConfigMap("a"));
        using var watch = await _cluster.WatchAsync(ConfigMaps + "?watch=1&labelSelector=x%3D1");
        await _cluster.MergeAsync(ConfigMaps + "/a", """{"metadata":{"labels":{"x":"1"}}}""");
        await _cluster.MergeAsync(ConfigMaps + "/a", """{"data":{"k":"1"}}""");
        await _cluster.MergeAsync(ConfigMaps + "/a", """{"metadata":{"labels":{"x":"2"}}}""");
        Assert.Equal("ADDED a", await RunningCluster.NextAsync(watch));
        Assert.Equal("MODIFIED a", await RunningCluster.NextAsync(watch));
        Assert.Equal("DELETED a", await RunningCluster.NextAsync(watch));
    }

    [Fact]
    public async Task Watches_that_are_cut_break_and_can_go_on_where_they_were()
    {
        var first = await _cluster.PostAsync(ConfigMaps, ConfigMap("a"));
        using var watch = await _cluster.WatchAsync(ConfigMaps + "?watch=1");
        Assert.Equal("ADDED a", await RunningCluster.NextAsync(watch));

        var cut = await _cluster.SendAsync(HttpMethod.Post, "/simulator/clusters/test/cut-watches", null);
        Assert.Equal(HttpStatusCode.NoContent, cut.Code);
        await Assert.ThrowsAnyAsync<IOException>(() => RunningCluster.NextAsync(watch));

        await _cluster.PostAsync(ConfigMaps, ConfigMap("b"));
        using var again = await _cluster.WatchAsync($"{ConfigMaps}?watch=1&resourceVersion={first.Revision}");
        Assert.Equal("ADDED b", await RunningCluster.NextAsync(again));
    }

    [Fact]
    public async Task A_revision_that_is_too_old_is_gone()
    {
        var first = await _cluster.PostAsync(ConfigMaps, ConfigMap("a"));
        for (var i = 0; i <= History + 1; i++)
            await _cluster.MergeAsync(ConfigMaps + "/a", $$"""{"data":{"k":"{{i}}"} }""");
        using var watch = await _cluster.WatchAsync($"{ConfigMaps}?watch=1&resourceVersion={first.Revision}");
        var line = RunningCluster.Parse((await watch.ReadLineAsync(Ct))!);
        Assert.Equal("ERROR", line["type"]!.ToString());
        Assert.Equal(("410", "Expired"), (line["object"]!["code"]!.ToString(), line["object"]!["reason"]!.ToString()));
        Assert.Null(await watch.ReadLineAsync(Ct));
    }

    [Fact]
    public async Task A_watch_can_ask_for_the_present_state_and_its_end()
    {
        await _cluster.PostAsync(ConfigMaps, ConfigMap("a"));
        using var watch = await _cluster.WatchAsync(
            ConfigMaps + "?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");
        Assert.Equal("ADDED a", await RunningCluster.NextAsync(watch));
        var bookmark = RunningCluster.Parse((await watch.ReadLineAsync(Ct))!);
        Assert.Equal("BOOKMARK", bookmark["type"]!.ToString());
        Assert.Equal("true", bookmark["object"]!["metadata"]!["annotations"]!["k8s.io/initial-events-end"]!.ToString());
    }

    [Fact]
    public async Task A_quiet_watch_gets_bookmarks_and_ends_in_time()
    {
        var made = await _cluster.PostAsync(ConfigMaps, ConfigMap("a"));
        using var watch = await _cluster.WatchAsync(
            $"{ConfigMaps}?watch=1&resourceVersion={made.Revision}&allowWatchBookmarks=true&timeoutSeconds=90");
        await _cluster.NamespaceAsync("elsewhere");
        var next = watch.ReadLineAsync(Ct).AsTask();
        while (!next.IsCompleted)
        {
            _clock.Advance(TimeSpan.FromSeconds(30));
            await Task.WhenAny(next, Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Ct));
        }
        Assert.Equal("BOOKMARK", RunningCluster.Parse((await next)!)["type"]!.ToString());
        _clock.Advance(TimeSpan.FromSeconds(90));
        while (await watch.ReadLineAsync(Ct) is { } line) Assert.Contains("BOOKMARK", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_list_in_chunks_shows_one_moment()
    {
        foreach (var name in new[] { "a", "b", "c" }) await _cluster.PostAsync(ConfigMaps, ConfigMap(name));
        var first = await _cluster.GetAsync(ConfigMaps + "?limit=2");
        Assert.Equal(("a", "b"), (first.At("items", "0", "metadata", "name"),
            first.At("items", "1", "metadata", "name")));
        Assert.Equal("1", first.At("metadata", "remainingItemCount"));
        await _cluster.PostAsync(ConfigMaps, ConfigMap("d"));
        await _cluster.DeleteAsync(ConfigMaps + "/c");
        var next = Uri.EscapeDataString(first.At("metadata", "continue")!);
        var second = await _cluster.GetAsync($"{ConfigMaps}?limit=2&continue={next}");
        Assert.Equal("c", second.At("items", "0", "metadata", "name"));
        Assert.Single(second.Json["items"]!.AsArray());
        Assert.Equal(first.Revision, second.Revision);
    }

    [Fact]
    public async Task A_list_that_takes_too_long_is_gone_and_says_how_to_go_on()
    {
        foreach (var name in new[] { "a", "b" }) await _cluster.PostAsync(ConfigMaps, ConfigMap(name));
        var first = await _cluster.GetAsync(ConfigMaps + "?limit=1");
        await _cluster.PostAsync(ConfigMaps, ConfigMap("c"));
        await _cluster.SendAsync(HttpMethod.Post, "/simulator/clusters/test/compact", "");
        var gone = await _cluster.GetAsync(
            $"{ConfigMaps}?limit=1&continue={Uri.EscapeDataString(first.At("metadata", "continue")!)}");
        Assert.Equal(HttpStatusCode.Gone, gone.Code);
        Assert.Equal("Expired", gone.Reason);
        var rest = await _cluster.GetAsync(
            $"{ConfigMaps}?continue={Uri.EscapeDataString(gone.At("metadata", "continue")!)}");
        Assert.Equal(["b", "c"], rest.Json["items"]!.AsArray().Select(i => i!["metadata"]!["name"]!.ToString()));
    }

    [Theory]
    [InlineData("labelSelector=x", "a,b")]
    [InlineData("labelSelector=!x", "c")]
    [InlineData("labelSelector=x in (1,3)", "a")]
    [InlineData("labelSelector=x notin (1)", "b,c")]
    [InlineData("labelSelector=x!=1,x", "b")]
    [InlineData("fieldSelector=metadata.name=b", "b")]
    [InlineData("fieldSelector=metadata.name!=b", "a,c")]
    public async Task Selectors_choose(string query, string expected)
    {
        await _cluster.PostAsync(ConfigMaps, ConfigMap("a", labels: """{"x":"1"}"""));
        await _cluster.PostAsync(ConfigMaps, ConfigMap("b", labels: """{"x":"2"}"""));
        await _cluster.PostAsync(ConfigMaps, ConfigMap("c"));
        var (name, value) = (query.Split('=', 2)[0], query.Split('=', 2)[1]);
        var list = await _cluster.GetAsync($"{ConfigMaps}?{name}={Uri.EscapeDataString(value)}");
        Assert.Equal(expected, string.Join(',',
            list.Json["items"]!.AsArray().Select(i => i!["metadata"]!["name"]!.ToString())));
    }

    [Fact]
    public async Task An_unknown_field_selector_is_refused()
    {
        var pods = await _cluster.GetAsync("api/v1/pods?fieldSelector=spec.foo%3Dbar");
        Assert.Equal((HttpStatusCode.BadRequest, "field label not supported: spec.foo"), (pods.Code, pods.Message));
    }

    [Fact]
    public async Task A_revision_of_the_future_is_not_there_yet()
    {
        var early = await _cluster.GetAsync(ConfigMaps + "?resourceVersion=999999");
        Assert.Equal(HttpStatusCode.GatewayTimeout, early.Code);
        Assert.StartsWith("Too large resource version: 999999", early.Message, StringComparison.Ordinal);
    }
}
