using Cloud.ServiceDefaults.Supervision;
using Cloud.ServiceDefaults.Tests.Parcels;
using Cloud.TestHost;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Supervision;

/// <summary>Several processes and one row: leases, epochs, crashes.</summary>
public sealed class Rivals(ITestOutputHelper output)
{
    private static readonly string[] WholeLife = ["dispatch-requested", "in-transit", "delivered"];

    /// <summary>Turns that a crash may cost beyond those of an unharmed life.</summary>
    private const int ExtraTurnsMax = 3;

    private static CancellationToken Ct => Patience.Token;

    [Theory]
    [InlineData("lease.after")]
    [InlineData("claim.before")]
    [InlineData("claim.after")]
    [InlineData("step.before")]
    [InlineData("step.after")]
    [InlineData("save.before")]
    public async Task A_paused_worker_that_wakes_after_its_lease_is_gone_changes_nothing(string place)
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var paused = await depot.StartAsync(Ct);
        await paused.HearsOthersAsync(Ct);
        var hold = paused.Faults.HoldAt(place);
        var parcel = await paused.Store.AddAsync(Parcel.To("A"), Ct);
        await hold.ReachedAsync(Ct);
        await depot.LeaseRunsOutAsync(parcel.Id);

        var other = await depot.StartAsync(Ct);
        depot.Clock.Advance(TimeSpan.FromSeconds(61));
        await other.UntilAsync(parcel.Id, ParcelState.Delivered, Ct);
        var before = await depot.FindAsync(parcel.Id, Ct);
        hold.Release();
        await paused.Faults.PassedAsync("lease.release", 1, Ct);

        Assert.Equivalent(before, await depot.FindAsync(parcel.Id, Ct));
        Assert.Equal(WholeLife, await depot.HistoryAsync(parcel.Id, Ct));
    }

    [Fact]
    public async Task A_stale_creation_does_not_make_again_what_a_deletion_removed()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var paused = await depot.StartAsync(Ct);
        await paused.HearsOthersAsync(Ct);
        var creating = new TaskCompletionSource();
        var wake = new TaskCompletionSource();
        depot.Post.Before = async (_, _) =>
        {
            // Frozen just before its call to the outside: it does not see its cancellation either.
            depot.Post.Before = (_, _) => Task.CompletedTask;
            creating.SetResult();
            await wake.Task;
        };
        var parcel = await paused.Store.AddAsync(Parcel.To("A"), Ct);
        await creating.Task.WaitAsync(Ct);
        await depot.LeaseRunsOutAsync(parcel.Id);

        var other = await depot.StartAsync(Ct);
        await other.Store.RequestAsync(parcel.Id, p => p with { State = ParcelState.ReturnRequested }, Ct);
        await other.UntilAsync(parcel.Id, ParcelState.Deleted, Ct);
        var before = await depot.FindAsync(parcel.Id, Ct);
        wake.SetResult();
        await paused.Faults.PassedAsync("lease.release", 1, Ct);

        Assert.Empty(depot.Post.Sent);
        Assert.Equivalent(before, await depot.FindAsync(parcel.Id, Ct));
    }

    [Fact]
    public async Task A_process_that_is_refused_the_lease_asks_PostgreSQL_nothing_and_the_holder_serves_the_nudge()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        depot.Post.ArriveAtOnce = false;
        var (holder, loser) = await TwoWithParcelWaitingAsync(depot);
        var parcel = (await holder.Store.InStatesAsync(Ct, ParcelState.InTransit)).Single();
        var hold = holder.Faults.HoldAt("step.after");
        var loserWaits = loser.Faults.HoldAt("lease.before");
        await holder.NudgeAsync(parcel.Id, Ct);
        await hold.ReachedAsync(Ct);
        await loserWaits.ReachedAsync(Ct);
        loserWaits.Release();
        await loser.Faults.PassedAsync("lease.refused", 1, Ct);
        Assert.DoesNotContain("claim.before", loser.Faults.Passed);
        Assert.DoesNotContain("pull-forward.before", loser.Faults.Passed);

        // Only now the parcel arrives, and it is the loser that is told: the holder must look once more.
        depot.Post.Arrived[parcel.Id] = true;
        await loser.NudgeAsync(parcel.Id, Ct);
        await loser.Faults.PassedAsync("lease.refused", 2, Ct);
        hold.Release();
        await holder.UntilAsync(parcel.Id, ParcelState.Delivered, Ct);
    }

    [Fact]
    public async Task A_nudge_that_another_process_has_served_is_not_served_again()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        depot.Post.ArriveAtOnce = false;
        var (quick, slow) = await TwoWithParcelWaitingAsync(depot);
        var waiting = (await quick.Store.InStatesAsync(Ct, ParcelState.InTransit)).Single();
        var looks = 0;
        depot.Post.Before = (_, _) => Task.FromResult(Interlocked.Increment(ref looks));
        var quickHolds = quick.Faults.HoldAt("lease.before");
        var slowHolds = slow.Faults.HoldAt("lease.before");
        await quick.NudgeAsync(waiting.Id, Ct);
        await quickHolds.ReachedAsync(Ct);
        await slowHolds.ReachedAsync(Ct);
        depot.Clock.Advance(TimeSpan.FromMilliseconds(1));
        var released = quick.Faults.TimesPassed("lease.release") + 1;
        quickHolds.Release();
        await quick.Faults.PassedAsync("lease.release", released, Ct);
        await quick.UntilAsync(waiting.Id, p => p.Epoch == waiting.Epoch + 1 && p.ClaimedBy is null, Ct);
        await depot.LeaseRunsOutAsync(waiting.Id);
        slowHolds.Release();
        await slow.Faults.PassedAsync("pull-forward.after", 1, Ct);

        Assert.Equal(1, looks);
        Assert.Equal(waiting.Epoch + 1, (await depot.FindAsync(waiting.Id, Ct))!.Epoch);
    }

    [Fact]
    public async Task A_nudge_whose_lease_a_dead_process_holds_is_served_when_that_runs_out()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        depot.Post.ArriveAtOnce = false;
        var process = await depot.StartAsync(Ct);
        var parcel = await process.Store.AddAsync(Parcel.To("A"), Ct);
        var waiting = await process.UntilAsync(parcel.Id, p => p.WaitingFor is not null, Ct);
        await depot.StealLeaseAsync(parcel.Id);
        depot.Post.Arrived[parcel.Id] = true;
        var refused = process.Faults.TimesPassed("lease.refused") + 1;
        await process.NudgeAsync(parcel.Id, Ct);
        await process.Faults.PassedAsync("lease.refused", refused, Ct);

        await depot.LeaseRunsOutAsync(parcel.Id);
        depot.Clock.Advance(Leases.Expiry);
        await depot.TurnClockUntilAsync(
            process.UntilAsync(parcel.Id, ParcelState.Delivered, Ct), TimeSpan.FromMilliseconds(10), Ct);
        Assert.True(depot.Clock.GetUtcNow() < waiting.NextAttemptAt);
    }

    [Fact]
    public async Task A_nudge_whose_step_died_with_its_process_is_served_by_another()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        depot.Post.ArriveAtOnce = false;
        var faults = new FaultPoints();
        var dying = await depot.StartAsync(Ct, faults);
        var parcel = await dying.Store.AddAsync(Parcel.To("A"), Ct);
        var waiting = await dying.UntilAsync(parcel.Id, p => p.WaitingFor is not null, Ct);
        depot.Post.Arrived[parcel.Id] = true;
        var hold = faults.HoldAt("step.before");
        await dying.NudgeAsync(parcel.Id, Ct);
        await hold.ReachedAsync(Ct);
        await depot.LeaseRunsOutAsync(parcel.Id);

        var other = await depot.StartAsync(Ct);
        depot.Clock.Advance(Leases.Expiry);
        await depot.TurnClockUntilAsync(
            other.UntilAsync(parcel.Id, ParcelState.Delivered, Ct), TimeSpan.FromMilliseconds(10), Ct);
        Assert.True(depot.Clock.GetUtcNow() < waiting.NextAttemptAt);
        hold.Release();
    }

    [Fact]
    public async Task Losing_the_lease_cuts_the_step_and_counts_as_no_failure()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var inStep = new TaskCompletionSource();
        var cut = new TaskCompletionSource();
        var first = true;
        depot.Post.Before = async (_, ct) =>
        {
            if (first)
            {
                first = false;
                inStep.SetResult();
                try
                {
                    await Task.Delay(Timeout.InfiniteTimeSpan, depot.Clock, ct);
                }
                finally
                {
                    cut.SetResult();
                }
            }
        };
        var process = await depot.StartAsync(Ct);
        await process.HearsOthersAsync(Ct);
        var parcel = await process.Store.AddAsync(Parcel.To("A"), Ct);
        await inStep.Task.WaitAsync(Ct);
        await depot.StealLeaseAsync(parcel.Id);
        await cut.Task.WaitAsync(Ct);
        await depot.LeaseRunsOutAsync(parcel.Id);
        await process.Faults.PassedAsync("lease.release", 1, Ct);
        depot.Clock.Advance(TimeSpan.FromSeconds(11));
        var delivered = await process.UntilAsync(parcel.Id, ParcelState.Delivered, Ct);
        Assert.Equal(0, delivered.Attempts);
        Assert.Null(delivered.LastErrorCode);
    }

    [Fact]
    public async Task Losing_the_lease_while_PostgreSQL_does_not_answer_is_no_failure_of_the_row()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var inStep = new TaskCompletionSource();
        depot.Post.Before = async (_, ct) =>
        {
            if (inStep.TrySetResult())
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, depot.Clock, ct);
            }
        };
        var process = await depot.StartAsync(Ct);
        await process.HearsOthersAsync(Ct);
        var silence = process.Faults.HoldAt("release.before");
        var parcel = await process.Store.AddAsync(Parcel.To("A"), Ct);
        await inStep.Task.WaitAsync(Ct);
        await depot.StealLeaseAsync(parcel.Id);
        await silence.ReachedAsync(Ct);
        depot.Clock.Advance(TimeSpan.FromSeconds(10));
        silence.Release();

        await depot.LeaseRunsOutAsync(parcel.Id);
        await depot.TurnClockUntilAsync(
            process.UntilAsync(parcel.Id, ParcelState.Delivered, Ct), TimeSpan.FromSeconds(1), Ct);
        Assert.Equal(0, process.Faults.TimesPassed("set-aside.before"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Two_processes_at_once_save_every_step_once_with_and_without_Redis(bool withRedis)
    {
        await using var depot = await Depot.OpenAsync(Ct);
        if (!withRedis)
        {
            depot.Redis.Stop();
        }

        var one = await depot.StartAsync(Ct);
        var two = await depot.StartAsync(Ct);
        var ids = new List<string>();
        for (var n = 0; n < 40; n++)
        {
            ids.Add((await depot.InsertSilentlyAsync(
                Parcel.To($"{n}") with { NextAttemptAt = depot.Clock.GetUtcNow() }, Ct)).Id);
        }

        // Both wake at the same moment and find the same rows; more time passes until all are at rest.
        for (var minute = 0; minute < 5; minute++)
        {
            depot.Clock.Advance(TimeSpan.FromSeconds(61));
            await one.DeliverAsync($"probe {minute} of one", Ct);
            await two.DeliverAsync($"probe {minute} of two", Ct);
        }

        foreach (var id in ids)
        {
            await one.UntilAsync(id, ParcelState.Delivered, Ct);
            Assert.Equal(WholeLife[1..], await depot.HistoryAsync(id, Ct));
        }
    }

    [Fact]
    public async Task Redis_may_go_and_come_back_in_the_middle_of_everything()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(Ct);
        await process.HearsOthersAsync(Ct);
        await process.DeliverAsync("before", Ct);
        depot.Redis.Stop();
        await process.DeliverAsync("without", Ct);
        depot.Redis.Start();
        await process.DeliverAsync("after", Ct);
        await process.HearsOthersAsync(Ct);
    }

    [Fact]
    public async Task Whatever_place_a_process_crashes_at_the_row_ends_at_rest_and_the_world_is_made_once()
    {
        var places = await CrashAnywhere.RunAsync(LiveAndDieAsync, Ct);
        output.WriteLine($"Crashed at {places.Count} places: {string.Join(", ", places.Distinct())}");
        Assert.Contains("save.before", places);
        Assert.Contains("lease.release", places);
    }

    /// <summary>Two processes that hear each other, and a parcel on its way that neither is busy with.</summary>
    private static async Task<(ParcelProcess One, ParcelProcess Two)> TwoWithParcelWaitingAsync(Depot depot)
    {
        var one = await depot.StartAsync(Ct);
        await one.HearsOthersAsync(Ct);
        var parcel = await one.Store.AddAsync(Parcel.To("A"), Ct);
        await one.UntilAsync(parcel.Id, p => p.WaitingFor is not null, Ct);
        await one.Faults.PassedAsync("lease.release", 1, Ct);
        var two = await depot.StartAsync(Ct);
        await two.HearsOthersAsync(Ct);
        return (one, two);
    }

    private static async Task LiveAndDieAsync(FaultPoints faults, CancellationToken ct)
    {
        await using var depot = await Depot.OpenAsync(ct);
        var first = await depot.StartAsync(ct, faults);
        await first.HearsOthersAsync(ct);
        var parcel = Parcel.To("A");
        try
        {
            await first.Store.AddAsync(parcel, ct);
        }
        catch (CrashedException)
        {
            // The caller never got an answer; whether the row is there decides what it sees on a repeat.
        }

        await Task.WhenAny(first.UntilAsync(parcel.Id, ParcelState.Delivered, ct), faults.Crashed);
        await faults.SettledAsync("lease.release", ct);
        if (faults.Crashed.IsCompleted)
        {
            await depot.LeaseRunsOutAsync(parcel.Id);
            var second = await depot.StartAsync(ct);
            await second.HearsOthersAsync(ct);
            depot.Clock.Advance(TimeSpan.FromSeconds(61));
            if (await depot.FindAsync(parcel.Id, ct) is null)
            {
                await second.Store.AddAsync(parcel, ct);
            }

            await second.UntilAsync(parcel.Id, ParcelState.Delivered, ct);
            Assert.InRange(second.Faults.Passed.Count(place => place == "claim.after"), 0, ExtraTurnsMax);
        }

        Assert.Equal(WholeLife, await depot.HistoryAsync(parcel.Id, ct));
        Assert.Single(depot.Post.Sent);
        Assert.InRange(depot.Post.Touches[parcel.Id], 1, 2);
        var atRest = await depot.FindAsync(parcel.Id, ct);
        Assert.Null(atRest!.NextAttemptAt);
        Assert.Equal(0, atRest.Attempts);
    }
}
