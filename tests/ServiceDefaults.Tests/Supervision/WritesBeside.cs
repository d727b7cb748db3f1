using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Cloud.ServiceDefaults.Tests.Parcels;
using Cloud.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;
using static Cloud.ServiceDefaults.Supervision.Outcome;

namespace Cloud.ServiceDefaults.Tests.Supervision;

/// <summary>Writes that a step asks to commit together with its outcome, such as a reservation.</summary>
public sealed class WritesBeside
{
    private static CancellationToken Ct => Patience.Token;

    [Fact]
    public async Task They_commit_with_the_outcome()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(Ct, configure: Reserving);
        var parcel = await process.Store.AddAsync(Parcel.To("A"), Ct);
        await process.UntilAsync(parcel.Id, ParcelState.InTransit, Ct);
        Assert.NotNull(await depot.FindAsync("reserved-" + parcel.Id, Ct));
        Assert.Equal(["dispatch-requested", "in-transit"], await depot.HistoryAsync(parcel.Id, Ct));
    }

    [Fact]
    public async Task They_are_gone_when_the_outcome_loses_against_a_request()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(Ct, configure: Reserving);
        var hold = process.Faults.HoldAt("save.before");
        var parcel = await process.Store.AddAsync(Parcel.To("A"), Ct);
        await hold.ReachedAsync(Ct);
        await process.Store.RequestAsync(parcel.Id, p => p with { State = ParcelState.Deleted }, Ct);
        hold.Release();
        await process.UntilAsync(parcel.Id, p => p is { State: ParcelState.Deleted, NextAttemptAt: null }, Ct);
        Assert.Null(await depot.FindAsync("reserved-" + parcel.Id, Ct));
    }

    private static void Reserving(IServiceCollection services) =>
        services.AddSingleton<IRules<Parcel, ParcelState>, ReservingRules>();

    private sealed class ReservingRules : IRules<Parcel, ParcelState>
    {
        public Rule<Parcel, ParcelState> For(ParcelState state) => state == ParcelState.DispatchRequested
            ? new(ReserveAsync, ParcelState.InTransit)
            : new(null);

        private static Task<Outcome<Parcel, ParcelState>> ReserveAsync(Parcel row, CancellationToken ct) =>
            Task.FromResult(Go<Parcel, ParcelState>(
                ParcelState.InTransit,
                "reserved",
                row,
                (transaction, token) => CopyAsync(transaction, row.Id, "reserved-" + row.Id, token)));

        private static async Task CopyAsync(
            DatabaseTransaction transaction, string id, string copy, CancellationToken ct)
        {
            await using var command = new NpgsqlCommand(
                """
                INSERT INTO parcels (id, state, version, epoch, attempts, state_since, create_time,
                    address, weight, fragile, stamps, stops, tags)
                SELECT $2, 'deleted', 1, 0, 0, state_since, create_time, $2, weight, fragile, stamps, stops, tags
                FROM parcels WHERE id = $1
                """,
                transaction.Connection,
                transaction.Transaction);
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = id });
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = copy });
            await command.ExecuteNonQueryAsync(ct);
        }
    }
}
