using Cloud.ServiceDefaults.Tests.Parcels;
using Cloud.TestHost;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Supervision;

/// <summary>A process is told to stop while its turn is at one place or another. No time passes, so that nothing but
/// what the turn still does can bring another process to the row.</summary>
public sealed class StopAnywhere
{
    private static readonly string[] WholeLife = ["dispatch-requested", "in-transit", "delivered"];

    private static CancellationToken Ct => Patience.Token;

    [Theory]
    [InlineData("lease.after")]
    [InlineData("claim.before")]
    [InlineData("claim.after")]
    [InlineData("step.before")]
    [InlineData("step.after")]
    [InlineData("save.before")]
    [InlineData("save.after")]
    public async Task Wherever_its_turn_is_another_process_goes_on_at_once(string place)
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var (id, staying, hold) = await HoldAndStopAsync(depot, place);
        hold.Release();
        var delivered = await staying.UntilAsync(id, ParcelState.Delivered, Ct);

        Assert.Equal(0, delivered.Attempts);
        Assert.Equal(WholeLife, await depot.HistoryAsync(id, Ct));
        Assert.Equal(1, depot.Post.Touches[id]);
    }

    [Fact]
    public async Task What_PostgreSQL_does_not_take_in_time_is_left_to_the_other_process()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var (id, staying, hold) = await HoldAndStopAsync(depot, "save.before");
        depot.Clock.Advance(TimeSpan.FromSeconds(2));
        hold.Release();
        await staying.UntilAsync(id, ParcelState.Delivered, Ct);

        Assert.Equal(WholeLife, await depot.HistoryAsync(id, Ct));
        Assert.Equal(2, depot.Post.Touches[id]);
    }

    /// <summary>A parcel whose turn is held, in a process that knows already that it stops, and another
    /// process.</summary>
    private static async Task<(string Id, ParcelProcess Staying, Hold Hold)> HoldAndStopAsync(
        Depot depot, string place)
    {
        var leaving = await depot.StartAsync(Ct);
        await leaving.HearsOthersAsync(Ct);
        var inStep = new TaskCompletionSource();
        var cut = new TaskCompletionSource();
        depot.Post.Before = async (parcel, ct) =>
        {
            if (parcel.Address == "witness" && inStep.TrySetResult())
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, depot.Clock, ct)
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                cut.SetResult();
                ct.ThrowIfCancellationRequested();
            }
        };
        await leaving.Store.AddAsync(Parcel.To("witness"), Ct);
        await inStep.Task.WaitAsync(Ct);
        var hold = leaving.Faults.HoldAt(place);
        var parcel = await leaving.Store.AddAsync(Parcel.To("A"), Ct);
        await hold.ReachedAsync(Ct);
        var staying = await depot.StartAsync(Ct);
        await staying.HearsOthersAsync(Ct);
        _ = leaving.StopAsync(Ct);
        await cut.Task.WaitAsync(Ct);
        return (parcel.Id, staying, hold);
    }
}
