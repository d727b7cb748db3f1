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

    [Fact]
    public async Task A_paused_worker_that_wakes_after_its_lease_is_gone_changes_nothing()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var paused = await depot.StartAsync(Ct);
        await paused.HearsOthersAsync(Ct);
        var hold = paused.Faults.HoldAt("save.before");
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
        Assert.Equal(2, before!.Epoch);
        Assert.Equal(WholeLife, await depot.HistoryAsync(parcel.Id, Ct));
    }

    [Fact]
    public async Task A_nudge_whose_lease_is_refused_is_not_lost()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        depot.Post.ArriveAtOnce = false;
        var process = await depot.StartAsync(Ct);
        var parcel = await process.Store.AddAsync(Parcel.To("A"), Ct);
        await process.UntilAsync(parcel.Id, p => p.WaitingFor is not null, Ct);
        await depot.StealLeaseAsync(parcel.Id);
        depot.Post.Arrived[parcel.Id] = true;
        await process.NudgeAsync(parcel.Id, Ct);
        await process.Faults.PassedAsync("pull-forward.after", 1, Ct);

        await depot.LeaseRunsOutAsync(parcel.Id);
        depot.Clock.Advance(TimeSpan.FromSeconds(2));
        await process.UntilAsync(parcel.Id, ParcelState.Delivered, Ct);
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
