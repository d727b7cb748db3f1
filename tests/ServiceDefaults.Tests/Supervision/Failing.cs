using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Supervision;
using Cloud.ServiceDefaults.Tests.Parcels;
using Cloud.TestHost;
using Grpc.Core;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Supervision;

public sealed class Failing
{
    private static CancellationToken Ct => Patience.Token;

    [Fact]
    public async Task A_failure_is_recorded_and_tried_again_after_growing_waits()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var broken = true;
        depot.Post.Before = (_, _) => broken
            ? throw StepException.PassedOn(
                "POST_CLOSED", "The post is closed; it opens at nine.", Fault.Operator, retryable: true)
            : Task.CompletedTask;
        var process = await depot.StartAsync(Ct);
        var parcel = await process.Store.AddAsync(Parcel.To("A"), Ct);
        for (var attempt = 1; attempt <= 4; attempt++)
        {
            var failed = await process.UntilAsync(parcel.Id, p => p.Attempts == attempt, Ct);
            Assert.Equal("POST_CLOSED", failed.LastErrorCode);
            Assert.Equal("The post is closed; it opens at nine.", failed.LastError);
            Assert.Equal(Fault.Operator, failed.LastErrorFault);
            var wait = failed.NextAttemptAt!.Value - depot.Clock.GetUtcNow();
            Assert.InRange(wait.TotalSeconds, Math.Pow(2, attempt - 2), Math.Pow(2, attempt - 1));
            Assert.Equal(1, failed.Version);
            broken = attempt < 4;
            depot.Clock.Advance(wait);
        }

        var delivered = await process.UntilAsync(parcel.Id, ParcelState.Delivered, Ct);
        Assert.Equal(0, delivered.Attempts);
        Assert.Null(delivered.LastErrorCode);
        Assert.Equal(["dispatch-requested", "in-transit", "delivered"], await depot.HistoryAsync(parcel.Id, Ct));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_the_outside_asks_to_be_left_alone_for_is_waited(bool saidByPeer)
    {
        var asked = TimeSpan.FromSeconds(90);
        var busy = saidByPeer
            ? Problem.Unavailable(ErrorReason.DatabaseUnavailable, "Come back later.", asked)
                .ToRpcStatus().ToRpcException()
            : (Exception)new StepException(ErrorReason.DatabaseUnavailable, "Come back later.") { RetryAfter = asked };
        await using var depot = await Depot.OpenAsync(Ct);
        depot.Post.Before = (_, _) => Task.FromException(busy);
        var process = await depot.StartAsync(Ct);
        var parcel = await process.Store.AddAsync(Parcel.To("A"), Ct);
        var failed = await process.UntilAsync(parcel.Id, p => p.Attempts == 1, Ct);
        Assert.Equal("DATABASE_UNAVAILABLE", failed.LastErrorCode);
        Assert.Equal(depot.Clock.GetUtcNow() + asked, failed.NextAttemptAt);
    }

    [Fact]
    public void A_target_that_does_not_answer_is_told_from_refusals_and_from_others_that_were_asked()
    {
        var silent = new StepException(ErrorReason.WorldUnreachable, "It does not answer.") { TargetFailed = true };
        Exception[] failing = [silent, silent.AsFinal(), new HttpRequestException(), new TimeoutException()];
        Exception[] answering =
        [
            new StepException(ErrorReason.EpochStale, "A later worker was there."),
            new RpcException(new Status(StatusCode.Unavailable, "Another service is away.")),
        ];

        Assert.All(failing, e => Assert.True(Failure.Of(e).TargetFailed));
        Assert.All(answering, e => Assert.False(Failure.Of(e).TargetFailed));
        Assert.True(Failure.Deadline(TimeSpan.FromSeconds(1)).TargetFailed);
    }

    [Fact]
    public async Task A_hopeless_failure_ends_in_the_failed_state_with_its_reason()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        depot.Post.Before = (_, _) =>
            throw StepException.PassedOn("NO_SUCH_STREET", "There is no such street.", Fault.Caller, retryable: false);
        var process = await depot.StartAsync(Ct);
        var parcel = await process.Store.AddAsync(Parcel.To("A"), Ct);
        var failed = await process.UntilAsync(parcel.Id, ParcelState.DispatchFailed, Ct);
        Assert.Equal("NO_SUCH_STREET", failed.LastErrorCode);
        Assert.Null(failed.NextAttemptAt);

        // Every failed state has a way out.
        depot.Post.Before = (_, _) => Task.CompletedTask;
        await process.Store.RequestAsync(parcel.Id, p => p with { State = ParcelState.DispatchRequested }, Ct);
        var delivered = await process.UntilAsync(parcel.Id, ParcelState.Delivered, Ct);
        Assert.Null(delivered.LastErrorCode);
    }

    [Fact]
    public async Task A_state_that_lasts_too_long_is_given_up_with_what_it_waited_for()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        depot.Post.ArriveAtOnce = false;
        var process = await depot.StartAsync(Ct);
        var parcel = await process.Store.AddAsync(Parcel.To("A"), Ct);
        await process.UntilAsync(parcel.Id, p => p.WaitingFor is not null, Ct);
        depot.Clock.Advance(ParcelRules.GiveUpAfter);
        var failed = await process.UntilAsync(parcel.Id, ParcelState.DispatchFailed, Ct);
        Assert.Equal("STATE_DEADLINE", failed.LastErrorCode);
        Assert.Contains("it is on its way", failed.LastError, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_row_is_not_given_up_for_the_time_in_which_nobody_worked()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        depot.Post.ArriveAtOnce = false;
        var process = await depot.StartAsync(Ct);
        var parcel = await process.Store.AddAsync(Parcel.To("A"), Ct);
        await process.UntilAsync(parcel.Id, p => p.WaitingFor is not null, Ct);
        await process.StopAsync(Ct);
        depot.Clock.Advance(ParcelRules.GiveUpAfter * 2);

        var next = await depot.StartAsync(Ct);
        var looked = await next.UntilAsync(parcel.Id, p => p.LookedAt >= depot.Clock.GetUtcNow(), Ct);
        looked = await next.UntilAsync(parcel.Id, p => p.NextAttemptAt > looked.LookedAt, Ct);
        Assert.Equal(ParcelState.InTransit, looked.State);

        // The full time is given from there on.
        depot.Clock.Advance(ParcelRules.GiveUpAfter);
        await next.UntilAsync(parcel.Id, ParcelState.DispatchFailed, Ct);
    }

    [Fact]
    public async Task A_step_that_hangs_is_cut_at_its_deadline()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var hanging = new TaskCompletionSource();
        depot.Post.Before = async (parcel, ct) =>
        {
            if (parcel.State == ParcelState.InTransit)
            {
                hanging.TrySetResult();
                await Task.Delay(Timeout.InfiniteTimeSpan, depot.Clock, ct);
            }
        };
        var process = await depot.StartAsync(Ct);
        var parcel = await process.Store.AddAsync(Parcel.To("A"), Ct);
        await hanging.Task.WaitAsync(Ct);
        depot.Clock.Advance(TimeSpan.FromSeconds(20));
        var failed = await process.UntilAsync(parcel.Id, p => p.Attempts == 1, Ct);
        Assert.Equal("STEP_DEADLINE", failed.LastErrorCode);
        Assert.Equal(ParcelState.InTransit, failed.State);
    }

    [Fact]
    public async Task A_step_that_ignores_its_cancellation_loses_its_slot()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var hanging = new TaskCompletionSource();
        var never = new TaskCompletionSource();
        depot.Post.Before = (parcel, _) =>
        {
            if (parcel.Address != "deaf")
            {
                return Task.CompletedTask;
            }

            hanging.TrySetResult();
            return never.Task;
        };
        var process = await depot.StartAsync(Ct, limits: options => options.StepsAtOnce = 1);
        var deaf = await process.Store.AddAsync(Parcel.To("deaf"), Ct);
        await hanging.Task.WaitAsync(Ct);
        var other = await process.Store.AddAsync(Parcel.To("B"), Ct);
        depot.Clock.Advance(TimeSpan.FromSeconds(36));
        // The time of grace begins when the deadline was noticed, which may be after the clock was turned.
        await depot.TurnClockUntilAsync(
            process.UntilAsync(other.Id, ParcelState.Delivered, Ct), TimeSpan.FromSeconds(1), Ct);
        await process.UntilAsync(deaf.Id, p => p.LastErrorCode == "STEP_DEADLINE", Ct);
    }

    [Fact]
    public async Task An_answer_that_the_rule_does_not_list_is_a_recorded_bug()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(Ct, configure: services => WrongRules.Add(services));
        var parcel = await process.Store.AddAsync(Parcel.To("A"), Ct);
        var failed = await process.UntilAsync(parcel.Id, p => p.Attempts == 1, Ct);
        Assert.Equal("RULE_BROKEN", failed.LastErrorCode);
        Assert.Equal(ParcelState.DispatchRequested, failed.State);
    }

    [Fact]
    public async Task What_the_database_refuses_to_save_is_recorded_as_the_steps_failure_and_nothing_follows_from_it()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var followed = false;
        depot.Post.Before = (_, _) => Task.FromResult(followed = true);
        var process = await depot.StartAsync(Ct, configure: services => WrongRules.Add(services));
        await process.Store.AddAsync(Parcel.To("taken"), Ct);
        var parcel = await process.Store.AddAsync(Parcel.To("steals an address"), Ct);
        var failed = await process.UntilAsync(parcel.Id, p => p.Attempts == 1, Ct);
        Assert.Equal("DATABASE_VALUE_TAKEN", failed.LastErrorCode);

        // The next turn begins when all of the first is over.
        depot.Clock.Advance(failed.NextAttemptAt!.Value - depot.Clock.GetUtcNow());
        await process.UntilAsync(parcel.Id, p => p.Attempts == 2, Ct);
        Assert.False(followed);
    }

    [Fact]
    public async Task A_nudge_does_not_make_a_failing_row_spin()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        depot.Post.Before = (_, _) => throw new StepException(ErrorReason.WorldTimeout, "broken");
        var process = await depot.StartAsync(Ct);
        var parcel = await process.Store.AddAsync(Parcel.To("A"), Ct);
        for (var attempt = 1; attempt < 6; attempt++)
        {
            var failed = await process.UntilAsync(parcel.Id, p => p.Attempts == attempt, Ct);
            depot.Clock.Advance(failed.NextAttemptAt!.Value - depot.Clock.GetUtcNow());
        }

        // After six failures the wait is 16 to 32 s; a nudge brings the next try within a second, but not to now.
        var slow = await process.UntilAsync(parcel.Id, p => p.Attempts == 6, Ct);
        Assert.True(slow.NextAttemptAt > depot.Clock.GetUtcNow() + TimeSpan.FromSeconds(15));
        await process.NudgeAsync(parcel.Id, Ct);
        await process.Faults.PassedAsync("pull-forward.after", 1, Ct);
        Assert.Equal(6, (await depot.FindAsync(parcel.Id, Ct))!.Attempts);
        depot.Clock.Advance(TimeSpan.FromSeconds(1));
        await process.UntilAsync(parcel.Id, p => p.Attempts == 7, Ct);
    }

    [Fact]
    public void Waits_double_from_a_second_to_five_minutes()
    {
        Assert.InRange(Backoff.After(1), TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(1));
        Assert.InRange(Backoff.After(5), TimeSpan.FromSeconds(8), TimeSpan.FromSeconds(16));
        Assert.InRange(Backoff.After(1_000_000), TimeSpan.FromSeconds(150), TimeSpan.FromSeconds(300));
        Assert.Equal(TimeSpan.FromSeconds(20), Backoff.After(1, TimeSpan.FromSeconds(20)));
        Assert.Equal(Backoff.Longest, Backoff.After(1, TimeSpan.FromDays(1)));
        Assert.InRange(Backoff.After(5, TimeSpan.FromSeconds(1)), TimeSpan.FromSeconds(8), TimeSpan.FromSeconds(16));
    }
}
