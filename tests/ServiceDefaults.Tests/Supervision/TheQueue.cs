using Cloud.ServiceDefaults.Supervision;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Supervision;

/// <summary>Whose turn it is.</summary>
public sealed class TheQueue
{
    private static readonly DateTimeOffset Noon = new(2031, 5, 6, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void The_lowest_rank_goes_first_and_equals_in_order_of_arrival()
    {
        var queue = new WorkQueue(stepsAtOnce: 10, stepsAtOncePerKey: 10);
        queue.Offer(Due("late", 5));
        queue.Offer(Due("first", 0));
        queue.Offer(Due("second", 0));
        queue.Offer(Due("urgent", -30));
        Assert.Equal(["urgent", "first", "second", "late"], TakeAll(queue));
    }

    [Fact]
    public void What_waits_long_enough_overtakes_every_head_start()
    {
        var queue = new WorkQueue(stepsAtOnce: 1, stepsAtOncePerKey: 1);
        queue.Offer(Due("patient", 0));
        var taken = new List<string>();
        for (var second = 0; !taken.Contains("patient"); second++)
        {
            // Every second another urgent row, each with a head start of 50 s.
            queue.Offer(Due($"urgent {second}", second - 50));
            Assert.True(queue.TryTake(out var item));
            taken.Add(item.Id);
            queue.Finish(item.Id, null, null);
        }

        Assert.Equal(51, taken.Count);
    }

    [Fact]
    public void A_nudged_row_waits_by_the_moment_of_its_nudge_until_its_rank_is_known()
    {
        var queue = new WorkQueue(stepsAtOnce: 10, stepsAtOncePerKey: 10);
        queue.Offer(WorkItem.Nudged("nudged first", Noon));
        queue.Offer(WorkItem.Nudged("nudged and urgent", Noon.AddSeconds(9)));
        Assert.True(queue.HasUnranked);
        Assert.Empty(queue.KnownIds);
        queue.Offer(Due("nudged and urgent", -20));
        Assert.Equal(["nudged and urgent"], queue.KnownIds);
        Assert.True(queue.TryTake(out var item));
        Assert.Equal("nudged and urgent", item.Id);
        Assert.Equal(Noon.AddSeconds(9), item.HeardAt);
    }

    [Fact]
    public void A_row_runs_once_at_a_time_and_again_if_nudged_meanwhile()
    {
        var queue = new WorkQueue(stepsAtOnce: 10, stepsAtOncePerKey: 10);
        queue.Offer(Due("A", 0));
        Assert.Equal(["A"], TakeAll(queue));
        queue.Offer(Due("A", 0));
        queue.Offer(WorkItem.Nudged("A", Noon));
        Assert.Empty(TakeAll(queue));
        queue.Finish("A", null, null);
        Assert.Equal(["A"], TakeAll(queue));
        queue.Offer(Due("A", 0));
        queue.Finish("A", null, null);
        Assert.Empty(TakeAll(queue));
    }

    [Fact]
    public void A_full_key_sets_its_rows_aside_and_the_others_pass()
    {
        var queue = new WorkQueue(stepsAtOnce: 5, stepsAtOncePerKey: 2);
        for (var n = 0; n < 100; n++)
        {
            queue.Offer(Due($"slow {n}", n, "slow"));
        }

        queue.Offer(Due("quick", 1000, "quick"));
        Assert.Equal(["slow 0", "slow 1", "quick"], TakeAll(queue));
        Assert.Equal(["slow"], queue.FullKeys);
        queue.Offer(Due("slow urgent", -50, "slow"));
        Assert.Empty(TakeAll(queue));
        Assert.False(queue.Finish("slow 1", null, null));
        Assert.Equal(["slow urgent"], TakeAll(queue));
    }

    [Fact]
    public void A_key_whose_target_failed_has_one_slot_until_it_answers()
    {
        var queue = new WorkQueue(stepsAtOnce: 10, stepsAtOncePerKey: 3);
        for (var n = 0; n < 9; n++)
        {
            queue.Offer(Due($"{n}", n, "dead"));
        }

        Assert.Equal(["0", "1", "2"], TakeAll(queue));
        queue.Finish("0", null, targetFailed: true);
        queue.Finish("1", null, targetFailed: true);
        Assert.Empty(TakeAll(queue));
        queue.Finish("2", null, targetFailed: true);
        Assert.Equal(["3"], TakeAll(queue));
        queue.Finish("3", null, targetFailed: false);
        Assert.Equal(["4", "5", "6"], TakeAll(queue));
    }

    [Fact]
    public void Many_dead_targets_leave_slots_for_the_living()
    {
        var queue = new WorkQueue(stepsAtOnce: 8, stepsAtOncePerKey: 4);
        string[] dead = ["a", "b", "c", "d"];
        for (var round = 0; round < 3; round++)
        {
            foreach (var key in dead)
            {
                queue.Offer(Due($"{key} {round}", round, key));
                Assert.True(queue.TryTake(out var item));
                queue.Finish(item.Id, null, targetFailed: true);
            }
        }

        foreach (var key in dead)
        {
            for (var n = 0; n < 10; n++)
            {
                queue.Offer(Due($"{key} again {n}", n, key));
            }
        }

        queue.Offer(Due("alive", 1000, "e"));
        Assert.Equal([.. dead.Select(key => $"{key} again 0"), "alive"], TakeAll(queue));
    }

    [Fact]
    public void A_key_with_room_for_which_nothing_waits_here_asks_for_a_look()
    {
        var queue = new WorkQueue(stepsAtOnce: 10, stepsAtOncePerKey: 1);
        queue.Offer(Due("A", 0, "key"));
        queue.Offer(Due("B", 1, "key"));
        Assert.Equal(["A"], TakeAll(queue));
        Assert.Empty(TakeAll(queue));
        Assert.False(queue.Finish("A", null, null));
        Assert.Equal(["B"], TakeAll(queue));
        Assert.True(queue.Finish("B", null, null));
    }

    [Fact]
    public void What_does_not_fit_is_dropped_and_said()
    {
        var queue = new WorkQueue(stepsAtOnce: 0, stepsAtOncePerKey: 1);
        for (var n = 0; n < WorkQueue.WaitingMax; n++)
        {
            queue.Offer(WorkItem.Nudged($"{n}", Noon));
        }

        Assert.False(queue.TakeDropped());
        queue.Offer(WorkItem.Nudged("one more", Noon));
        Assert.True(queue.TakeDropped());
        Assert.False(queue.TakeDropped());
        Assert.Equal(WorkQueue.WaitingMax, queue.ReadyCount);
    }

    private static WorkItem Due(string id, double seconds, string? key = null) =>
        new(id, Noon.AddSeconds(seconds), true, null, key);

    private static List<string> TakeAll(WorkQueue queue)
    {
        var taken = new List<string>();
        while (queue.TryTake(out var item))
        {
            taken.Add(item.Id);
        }

        return taken;
    }
}
