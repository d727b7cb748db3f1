using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Supervision;
using Cloud.ServiceDefaults.Tests.Parcels;
using Cloud.TestHost;
using Grpc.Core;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Supervision;

public sealed class TheLoop
{
    private static CancellationToken Ct => Patience.Token;

    [Fact]
    public async Task A_new_row_goes_through_its_states_in_one_turn()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(Ct);
        var parcel = await process.Store.AddAsync(Parcel.To("A"), Ct);
        var delivered = await process.UntilAsync(parcel.Id, ParcelState.Delivered, Ct);

        Assert.Equal(["dispatch-requested", "in-transit", "delivered"], await depot.HistoryAsync(parcel.Id, Ct));
        Assert.Equal(1, delivered.Epoch);
        Assert.Equal(3, delivered.Version);
        Assert.Equal(["arrived"], delivered.Tags);
        Assert.Null(delivered.NextAttemptAt);
        Assert.Null(delivered.ClaimedBy);
    }

    [Fact]
    public async Task Waiting_keeps_the_reason_and_adds_no_event_and_time_ends_it()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        depot.Post.ArriveAtOnce = false;
        var process = await depot.StartAsync(Ct);
        var parcel = await process.Store.AddAsync(Parcel.To("A"), Ct);
        var waiting = await process.UntilAsync(parcel.Id, p => p.WaitingFor is not null, Ct);
        Assert.Equal("it is on its way", waiting.WaitingFor);
        Assert.Equal(depot.Clock.GetUtcNow() + TimeSpan.FromMinutes(1), waiting.NextAttemptAt);
        Assert.Equal(["dispatch-requested", "in-transit"], await depot.HistoryAsync(parcel.Id, Ct));

        depot.Post.Arrived[parcel.Id] = true;
        depot.Clock.Advance(TimeSpan.FromMinutes(1));
        var delivered = await process.UntilAsync(parcel.Id, ParcelState.Delivered, Ct);
        Assert.Null(delivered.WaitingFor);
        Assert.Equal(waiting.Version + 1, delivered.Version);
    }

    [Fact]
    public async Task A_nudge_ends_waiting_before_its_time()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        depot.Post.ArriveAtOnce = false;
        var process = await depot.StartAsync(Ct);
        var parcel = await process.Store.AddAsync(Parcel.To("A"), Ct);
        await process.UntilAsync(parcel.Id, p => p.WaitingFor is not null, Ct);
        depot.Post.Arrived[parcel.Id] = true;
        await process.NudgeAsync(parcel.Id, Ct);
        await process.UntilAsync(parcel.Id, ParcelState.Delivered, Ct);
    }

    [Fact]
    public async Task A_nudge_during_a_step_is_not_lost()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        depot.Post.ArriveAtOnce = false;
        var process = await depot.StartAsync(Ct);
        var parcel = await process.Store.AddAsync(Parcel.To("A"), Ct);
        await process.UntilAsync(parcel.Id, p => p.WaitingFor is not null, Ct);

        // The step has looked at the world and is about to say "wait"; only then the parcel arrives.
        var hold = process.Faults.HoldAt("step.after");
        await process.NudgeAsync(parcel.Id, Ct);
        await hold.ReachedAsync(Ct);
        depot.Post.Arrived[parcel.Id] = true;
        await process.NudgeAsync(parcel.Id, Ct);
        hold.Release();
        await process.UntilAsync(parcel.Id, ParcelState.Delivered, Ct);
    }

    [Fact]
    public async Task A_nudge_reaches_another_process()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        depot.Post.ArriveAtOnce = false;
        var worker = await depot.StartAsync(Ct);
        var parcel = await worker.Store.AddAsync(Parcel.To("A"), Ct);
        await worker.UntilAsync(parcel.Id, p => p.WaitingFor is not null, Ct);
        await worker.HearsOthersAsync(Ct);
        var other = await depot.StartAsync(Ct, limits: options => options.StepsAtOnce = 0);
        await other.HearsOthersAsync(Ct);

        depot.Post.Arrived[parcel.Id] = true;
        await other.NudgeAsync(parcel.Id, Ct);
        await worker.UntilAsync(parcel.Id, ParcelState.Delivered, Ct);
    }

    [Fact]
    public async Task A_row_left_behind_by_a_lost_nudge_is_found_by_the_sweep()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(Ct);
        await process.DeliverAsync("probe", Ct);
        var due = Parcel.To("A") with { NextAttemptAt = depot.Clock.GetUtcNow() };
        var parcel = await depot.InsertSilentlyAsync(due, Ct);
        depot.Clock.Advance(TimeSpan.FromSeconds(60));
        await process.UntilAsync(parcel.Id, ParcelState.Delivered, Ct);
    }

    [Fact]
    public async Task A_request_while_a_step_runs_makes_its_save_lose_and_starts_the_new_journey()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(Ct);
        var hold = process.Faults.HoldAt("step.after");
        var parcel = await process.Store.AddAsync(Parcel.To("A"), Ct);
        await hold.ReachedAsync(Ct);
        await process.Store.RequestAsync(parcel.Id, p => p with { State = ParcelState.ReturnRequested }, Ct);
        hold.Release();
        await process.UntilAsync(parcel.Id, ParcelState.Deleted, Ct);
        Assert.Equal(["dispatch-requested", "return-requested", "deleted"], await depot.HistoryAsync(parcel.Id, Ct));
        Assert.Empty(depot.Post.Sent);
    }

    [Fact]
    public async Task A_row_that_rests_in_a_state_which_learned_a_step_is_woken_at_start()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var parcel = await depot.InsertSilentlyAsync(Parcel.To("A"), Ct);
        var process = await depot.StartAsync(Ct);
        await process.UntilAsync(parcel.Id, ParcelState.Delivered, Ct);
    }

    [Fact]
    public async Task A_bulkhead_holds_one_slow_target_and_lets_the_others_pass()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var release = new TaskCompletionSource();
        var atSlow = 0;
        var atSlowMost = 0;
        depot.Post.Before = async (parcel, ct) =>
        {
            if (parcel.Depot == "slow")
            {
                atSlowMost = Math.Max(atSlowMost, Interlocked.Increment(ref atSlow));
                await release.Task.WaitAsync(ct);
                Interlocked.Decrement(ref atSlow);
            }
        };
        var process = await depot.StartAsync(Ct, limits: options =>
        {
            options.StepsAtOnce = 4;
            options.BulkheadBy = row => row.Depot;
            options.StepsAtOncePerKey = 2;
        });
        var slow = new List<string>();
        for (var n = 0; n < 80; n++)
        {
            slow.Add((await process.Store.AddAsync(Parcel.To($"slow {n}") with { Depot = "slow" }, Ct)).Id);
        }

        for (var n = 0; n < 10; n++)
        {
            var quick = await process.Store.AddAsync(Parcel.To($"quick {n}") with { Depot = $"quick{n % 3}" }, Ct);
            await process.UntilAsync(quick.Id, ParcelState.Delivered, Ct);
        }

        Assert.Equal(2, atSlowMost);
        release.SetResult();
        foreach (var id in slow)
        {
            await process.UntilAsync(id, ParcelState.Delivered, Ct);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_is_no_fault_of_the_target_takes_none_of_its_slots(bool saidByPeer)
    {
        var elsewhere = saidByPeer
            ? Problem.Unavailable(ErrorReason.DatabaseUnavailable, "Come back later.", TimeSpan.FromSeconds(5))
                .ToRpcStatus().ToRpcException()
            : (Exception)new StepException(ErrorReason.RowTakenOver, "Another worker was faster.");
        await using var depot = await Depot.OpenAsync(Ct);
        var (met, arrived) = (new TaskCompletionSource(), 0);
        depot.Post.Before = async (parcel, ct) =>
        {
            if (parcel.Address == "failing")
            {
                throw elsewhere;
            }

            if (Interlocked.Increment(ref arrived) == 2)
            {
                met.SetResult();
            }

            await met.Task.WaitAsync(ct);
        };
        var process = await depot.StartAsync(Ct, limits: options =>
        {
            options.BulkheadBy = row => row.Depot;
            options.StepsAtOncePerKey = 2;
        });
        var failing = await process.Store.AddAsync(Parcel.To("failing") with { Depot = "one" }, Ct);
        await process.UntilAsync(failing.Id, p => p.Attempts == 1, Ct);

        var first = await process.Store.AddAsync(Parcel.To("A") with { Depot = "one" }, Ct);
        var second = await process.Store.AddAsync(Parcel.To("B") with { Depot = "one" }, Ct);

        await process.UntilAsync(first.Id, ParcelState.Delivered, Ct);
        await process.UntilAsync(second.Id, ParcelState.Delivered, Ct);
    }

    [Fact]
    public async Task A_hanging_target_with_more_rows_than_one_look_takes_hides_nobody()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var release = new TaskCompletionSource();
        depot.Post.Before = (parcel, ct) => parcel.Depot == "hanging" ? release.Task.WaitAsync(ct) : Task.CompletedTask;
        var due = Parcel.To("A") with { NextAttemptAt = depot.Clock.GetUtcNow() };
        for (var n = 0; n < Supervisor<Parcel, ParcelState>.RowsPerLookMax + 10; n++)
        {
            await depot.InsertSilentlyAsync(
                due with { Id = $"{n}", Address = $"hanging {n}", Depot = "hanging" }, Ct);
        }

        depot.Clock.Advance(TimeSpan.FromSeconds(1));
        var last = await depot.InsertSilentlyAsync(due with { Id = "last", Depot = "quick" }, Ct);
        var process = await depot.StartAsync(Ct, limits: options =>
        {
            options.StepsAtOnce = 4;
            options.BulkheadBy = row => row.Depot;
            options.StepsAtOncePerKey = 2;
        });
        await process.UntilAsync(last.Id, ParcelState.Delivered, Ct);
        release.SetResult();
    }

    [Fact]
    public async Task A_row_that_nobody_nudges_gets_its_turn_while_nudges_take_every_slot()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        depot.Post.ArriveAtOnce = false;
        var process = await depot.StartAsync(Ct, limits: options => options.StepsAtOnce = 1);
        var busy = await process.Store.AddAsync(Parcel.To("busy"), Ct);
        await process.UntilAsync(busy.Id, p => p.WaitingFor is not null, Ct);
        var quiet = await depot.InsertSilentlyAsync(
            Parcel.To("quiet") with { NextAttemptAt = depot.Clock.GetUtcNow() }, Ct);

        // Every step of the busy row nudges it again: the one slot is never free.
        depot.Post.Before = (parcel, ct) =>
            parcel.Id == busy.Id ? process.NudgeAsync(busy.Id, ct) : Task.CompletedTask;
        await process.NudgeAsync(busy.Id, Ct);
        await depot.TurnClockUntilAsync(
            process.UntilAsync(quiet.Id, p => p.WaitingFor is not null, Ct), TimeSpan.FromSeconds(1), Ct);
        depot.Post.Before = (_, _) => Task.CompletedTask;
    }

    [Fact]
    public async Task A_stopping_process_hands_its_row_over_at_once()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var leaving = await depot.StartAsync(Ct);
        await leaving.HearsOthersAsync(Ct);
        var started = new TaskCompletionSource();
        depot.Post.Before = async (_, ct) =>
        {
            started.TrySetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, depot.Clock, ct);
        };
        var parcel = await leaving.Store.AddAsync(Parcel.To("A"), Ct);
        await started.Task.WaitAsync(Ct);
        var staying = await depot.StartAsync(Ct);
        await staying.HearsOthersAsync(Ct);
        depot.Post.Before = (_, _) => Task.CompletedTask;
        await leaving.StopAsync(Ct);
        var delivered = await staying.UntilAsync(parcel.Id, ParcelState.Delivered, Ct);
        Assert.Equal(0, delivered.Attempts);
    }

    [Fact]
    public void The_rules_draw_their_own_diagram()
    {
        var diagram = Diagram.Of(new ParcelRules(new PostOffice()));
        Assert.StartsWith("stateDiagram-v2\n", diagram, StringComparison.Ordinal);
        Assert.Contains("    dispatch-requested --> in-transit\n", diagram, StringComparison.Ordinal);
        Assert.Contains("    in-transit --> dispatch-failed : gives up\n", diagram, StringComparison.Ordinal);
        Assert.Contains("    deleted --> [*]\n", diagram, StringComparison.Ordinal);
    }
}
