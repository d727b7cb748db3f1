using Cloud.Events;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Metrics.Tests.Events;

public sealed class WatchTests(FeedWorld world) : IClassFixture<FeedWorld>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Without_a_position_only_new_events_come_as_they_happen_on_every_replica()
    {
        await world.AppendAsync("watched", Ct, FeedWorld.Event(1));
        await using var second = world.Start();
        using var here = await FeedWorld.WatchAsync(world.Service, new(), Ct);
        using var there = await FeedWorld.WatchAsync(second, new(), Ct);

        await world.AppendAsync("watched", Ct, FeedWorld.Event(2));
        await world.AppendAsync("watched", Ct, FeedWorld.Event(3));

        Assert.Equal([2, 3], (await FeedWorld.TakeAsync(here, 2, Ct)).Select(e => e.SourceSequence));
        Assert.Equal([2, 3], (await FeedWorld.TakeAsync(there, 2, Ct)).Select(e => e.SourceSequence));
    }

    [Fact]
    public async Task From_a_position_everything_after_it_comes_once_and_in_order_while_more_is_taken_in()
    {
        const int count = 2500, size = 100;
        using var watch = await FeedWorld.WatchAsync(
            world.Service, new() { AfterSequence = 0, Filter = new() { Source = "stream" } }, Ct);
        var reading = FeedWorld.TakeAsync(watch, count, Ct);

        for (var first = 1; first <= count; first += size)
        {
            await world.AppendAsync("stream", Ct, Enumerable.Range(first, size).Select(n => FeedWorld.Event(n)));
        }

        Assert.Equal(Enumerable.Range(1, count).Select(n => (long)n), (await reading).Select(e => e.SourceSequence));

        // Again from the middle, from what is stored.
        var middle = (await reading)[count / 2].Sequence;
        using var resumed = await FeedWorld.WatchAsync(
            world.Service, new() { AfterSequence = middle, Filter = new() { Source = "stream" } }, Ct);
        var rest = await FeedWorld.TakeAsync(resumed, (count / 2) - 1, Ct);
        Assert.Equal((count / 2) + 2, rest[0].SourceSequence);
        Assert.Equal(count, rest[^1].SourceSequence);
    }

    [Fact]
    public async Task What_does_not_match_only_moves_the_bookmark_on()
    {
        using var watch = await FeedWorld.WatchAsync(
            world.Service, new() { Filter = new() { Installation = "installations/wanted" } }, Ct);
        var start = watch.ResponseStream.Current.Sequence;

        await world.AppendAsync("other", Ct, FeedWorld.Event(1, "installations/unwanted"));
        await watch.ResponseStream.MoveNext(Ct);

        Assert.Null(watch.ResponseStream.Current.Event);
        Assert.True(watch.ResponseStream.Current.Sequence > start);
    }

    [Fact]
    public async Task A_token_goes_on_after_its_message_and_only_with_its_filter()
    {
        var ofThis = new Proto.EventFilter { Source = "resumed" };
        using var watch = await FeedWorld.WatchAsync(world.Service, new() { Filter = ofThis }, Ct);
        await world.AppendAsync("resumed", Ct, FeedWorld.Event(1), FeedWorld.Event(2), FeedWorld.Event(3));
        await FeedWorld.TakeAsync(watch, 1, Ct);
        var token = watch.ResponseStream.Current.ResumeToken;

        using var resumed = await FeedWorld.WatchAsync(
            world.Service, new() { Filter = ofThis, ResumeToken = token }, Ct);
        Assert.Equal([2, 3], (await FeedWorld.TakeAsync(resumed, 2, Ct)).Select(e => e.SourceSequence));
        var refusal = await Refusal.OfAsync(FeedWorld.WatchAsync(world.Service, new() { ResumeToken = token }, Ct));
        Assert.Equal("RESUME_TOKEN_INVALID", refusal.Reason);
    }

    [Fact]
    public async Task A_position_beyond_the_feed_is_refused()
    {
        var refusal = await Refusal.OfAsync(FeedWorld.WatchAsync(
            world.Service, new() { AfterSequence = 1_000_000_000 }, Ct));

        Assert.Equal((StatusCode.InvalidArgument, "AFTER_SEQUENCE_INVALID"), (refusal.Code, refusal.Reason));
    }
}

/// <summary>Pruning takes events away from everybody, so it has a feed of its own.</summary>
public sealed class PruningTests(FeedWorld world) : IClassFixture<FeedWorld>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_position_that_is_no_longer_kept_is_too_old_and_zero_means_the_oldest_kept()
    {
        var store = world.Service.Services.GetRequiredService<EventStore>();
        var time = world.Service.Services.GetRequiredService<TimeProvider>();
        await world.AppendAsync("old", Ct, FeedWorld.Event(1), FeedWorld.Event(2), FeedWorld.Event(3));
        var between = time.GetUtcNow();
        await world.AppendAsync("old", Ct, FeedWorld.Event(4));

        Assert.Equal(2, await store.PruneAsync(between, 1000, 2, Ct));
        Assert.Equal(1, await store.PruneAsync(between, 1000, 2, Ct));
        Assert.Equal(0, await store.PruneAsync(between, 1000, 2, Ct));

        using var oldest = await FeedWorld.WatchAsync(world.Service, new() { AfterSequence = 0 }, Ct);
        Assert.Equal([4], (await FeedWorld.TakeAsync(oldest, 1, Ct)).Select(e => e.SourceSequence));
        var refusal = await Refusal.OfAsync(FeedWorld.WatchAsync(world.Service, new() { AfterSequence = 2 }, Ct));
        Assert.Equal((StatusCode.OutOfRange, "RESUME_TOKEN_TOO_OLD"), (refusal.Code, refusal.Reason));
        Assert.Equal("4", refusal.Metadata["oldest"]);

        await world.AppendAsync("old", Ct, FeedWorld.Event(5), FeedWorld.Event(6), FeedWorld.Event(7));
        Assert.Equal(2, await store.PruneAsync(between, 2, 10, Ct));
        var kept = await world.Events.ListEventsAsync(new() { Ascending = true }, cancellationToken: Ct);
        Assert.Equal([6, 7], kept.Events.Select(e => e.SourceSequence));
        Assert.Equal("RESUME_TOKEN_TOO_OLD", (await Refusal.OfAsync(FeedWorld.WatchAsync(
            world.Service, new() { ResumeToken = oldest.ResponseStream.Current.ResumeToken }, Ct))).Reason);
    }
}

/// <summary>As above.</summary>
public sealed class PruningMeanwhileTests(FeedWorld world) : IClassFixture<FeedWorld>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Events_that_are_let_go_while_a_watch_reads_are_not_skipped_in_silence()
    {
        await world.AppendAsync("meanwhile", Ct, FeedWorld.Event(1), FeedWorld.Event(2), FeedWorld.Event(3));
        var newest = (await world.Events.ListEventsAsync(new() { PageSize = 1 }, cancellationToken: Ct)).Events[0];
        await using var source = NpgsqlDataSource.Create(world.Own.ConnectionString);
        await using var pruning = await source.OpenConnectionAsync(Ct);
        await using var transaction = await pruning.BeginTransactionAsync(Ct);
        // The watch learns how far the feed goes, and its reading waits for the pruning.
        await RunAsync(pruning, "LOCK TABLE events IN ACCESS EXCLUSIVE MODE");
        using var watch = await FeedWorld.WatchAsync(
            world.Service, new() { AfterSequence = newest.Sequence - 2 }, Ct);
        await using var looking = source.CreateCommand(
            "SELECT count(*) FROM pg_locks WHERE relation = 'events'::regclass AND NOT granted");
        while (await looking.ExecuteScalarAsync(Ct) is 0L)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Ct);
        }

        await RunAsync(pruning, $"DELETE FROM events WHERE sequence < {newest.Sequence}");
        await RunAsync(pruning, $"UPDATE feed SET pruned_through = {newest.Sequence - 1}");
        await transaction.CommitAsync(Ct);

        var refusal = await Refusal.OfAsync(watch.ResponseStream.MoveNext(Ct));
        Assert.Equal((StatusCode.OutOfRange, "RESUME_TOKEN_TOO_OLD"), (refusal.Code, refusal.Reason));
    }

    private static async Task RunAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Ct);
    }
}
