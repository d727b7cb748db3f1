using Cloud.ServiceDefaults.Supervision;
using Cloud.ServiceDefaults.Tests.Parcels;
using Cloud.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;
using static Cloud.ServiceDefaults.Supervision.Outcome;

namespace Cloud.ServiceDefaults.Tests.Supervision;

public sealed class LongChains
{
    private static CancellationToken Ct => Patience.Token;

    [Fact]
    public async Task A_chain_of_more_steps_than_a_turn_takes_goes_on_at_once_without_Redis_too()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        depot.Redis.Stop();
        var process = await depot.StartAsync(Ct, limits: options => options.StepsAtOnce = 0);
        var parcel = await process.Store.AddAsync(Parcel.To("A"), Ct);
        var turn = ActivatorUtilities.CreateInstance<Turn<Parcel, ParcelState>>(
            process.Services, process.Store, new InCircles(), NullLogger.Instance);

        var first = await turn.TakeAsync(new WorkItem(parcel.Id, default, true, null, null), _ => null, Ct);
        var second = await turn.TakeAsync(first.Again!.Value, _ => null, Ct);

        Assert.NotNull(second.Again);
        var row = await depot.FindAsync(parcel.Id, Ct);
        Assert.Equal(parcel.Version + 2 * Turn<Parcel, ParcelState>.StepsPerTurnMax, row!.Version);
    }

    private sealed class InCircles : IRules<Parcel, ParcelState>
    {
        public Rule<Parcel, ParcelState> For(ParcelState state) => new(
            (_, _) => Task.FromResult<Outcome<Parcel, ParcelState>>(Go(state, "once more")), state);
    }
}
