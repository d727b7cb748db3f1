using Cloud.Events;
using Cloud.TestHost;
using Xunit;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Metrics.Tests.Events;

/// <summary>The sender of every service against the real receiver.</summary>
public sealed class DeliveryTests(FeedWorld world) : IClassFixture<FeedWorld>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_happens_in_a_service_comes_into_the_feed_once_and_in_order_across_its_restarts()
    {
        await using var metrics = world.Start();
        await using var source = await Source.OpenAsync("restarted", world.Redis, Ct);
        using var watch = await FollowAsync(metrics, source);

        await source.StartAsync(metrics.AsPeer("metrics"), Ct);
        await source.HappenAsync(5, Ct);
        await source.StopAsync();
        await source.StartAsync(metrics.AsPeer("metrics"), Ct);
        await source.HappenAsync(5, Ct);

        Assert.Equal(Numbers(1, 10), await TakeAsync(watch, 10));
    }

    [Fact]
    public async Task What_was_delivered_and_not_marked_is_not_taken_in_twice()
    {
        await using var metrics = world.Start();
        await using var source = await Source.OpenAsync("doubled", world.Redis, Ct);
        using var watch = await FollowAsync(metrics, source);
        await source.StartAsync(metrics.AsPeer("metrics"), Ct);
        await source.HappenAsync(3, Ct);
        Assert.Equal(Numbers(1, 3), await TakeAsync(watch, 3));
        await source.StopAsync();

        await source.TamperAsync("UPDATE outbox_progress SET delivered_through = 0", Ct);
        await source.StartAsync(metrics.AsPeer("metrics"), Ct);
        await source.HappenAsync(1, Ct);

        Assert.Equal([4], await TakeAsync(watch, 1));
    }

    [Fact]
    public async Task A_feed_that_misses_events_which_the_source_still_has_gets_them()
    {
        await using var metrics = world.Start();
        await using var source = await Source.OpenAsync("repaired", world.Redis, Ct);
        using var watch = await FollowAsync(metrics, source);
        await source.StartAsync(new Dictionary<string, string?>(), Ct);
        await source.HappenAsync(4, Ct);
        await source.StopAsync();

        // As after the feed was restored from a backup: the source believes that it has delivered.
        await source.TamperAsync("UPDATE outbox_progress SET delivered_through = 3", Ct);
        await source.StartAsync(metrics.AsPeer("metrics"), Ct);
        await source.HappenAsync(1, Ct);

        Assert.Equal(Numbers(1, 5), await TakeAsync(watch, 5));
    }

    [Fact]
    public async Task A_feed_that_misses_events_which_nobody_has_any_more_goes_on_after_the_hole()
    {
        await using var metrics = world.Start();
        await using var source = await Source.OpenAsync("holed", world.Redis, Ct);
        using var watch = await FollowAsync(metrics, source);
        await source.StartAsync(new Dictionary<string, string?>(), Ct);
        await source.HappenAsync(4, Ct);
        await source.StopAsync();

        await source.TamperAsync(
            """
            UPDATE outbox_progress SET delivered_through = 3, pruned_through = 2;
            DELETE FROM outbox WHERE sequence <= 2
            """,
            Ct);
        await source.StartAsync(metrics.AsPeer("metrics"), Ct);
        await source.HappenAsync(1, Ct);

        // What is told of the hole has the last of its numbers.
        Assert.Equal(Numbers(2, 4), await TakeAsync(watch, 4));
    }

    [Fact]
    public async Task A_source_restored_with_undelivered_events_loses_none_that_come_after()
    {
        await using var metrics = world.Start();
        await using var source = await Source.OpenAsync("set-back", world.Redis, Ct);
        using var watch = await FollowAsync(metrics, source);
        await source.StartAsync(metrics.AsPeer("metrics"), Ct);
        await source.HappenAsync(5, Ct);
        Assert.Equal(Numbers(1, 5), await TakeAsync(watch, 5));
        await source.StopAsync();

        // The backup is of a moment at which 3 was written and 2 delivered.
        await source.TamperAsync(
            """
            UPDATE outbox_progress SET last_sequence = 3, delivered_through = 2;
            DELETE FROM outbox WHERE sequence > 3
            """,
            Ct);
        await source.StartAsync(metrics.AsPeer("metrics"), Ct);
        await source.DeliveredAsync(3, Ct);
        await source.HappenAsync(2, Ct);

        // What is told of the restoration has the last number that still holds.
        Assert.Equal(Numbers(3, 3), await TakeAsync(watch, 3));
    }

    private static IEnumerable<long> Numbers(int first, int count) =>
        Enumerable.Range(first, count).Select(number => (long)number);

    private static async Task<Grpc.Core.AsyncServerStreamingCall<Proto.WatchEventsResponse>> FollowAsync(
        ServiceHost<EventService> metrics, Source source) =>
        await FeedWorld.WatchAsync(metrics, new() { Filter = new() { Source = source.Name } }, Ct);

    private static async Task<IEnumerable<long>> TakeAsync(
        Grpc.Core.AsyncServerStreamingCall<Proto.WatchEventsResponse> watch, int count) =>
        (await FeedWorld.TakeAsync(watch, count, Ct)).Select(e => e.SourceSequence);
}
