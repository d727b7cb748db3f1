using Cloud.ServiceDefaults.Supervision;
using Cloud.ServiceDefaults.Tests.Parcels;
using Microsoft.Extensions.DependencyInjection;
using static Cloud.ServiceDefaults.Supervision.Outcome;

namespace Cloud.ServiceDefaults.Tests.Supervision;

/// <summary>Rules with bugs in them.</summary>
internal sealed class WrongRules(PostOffice post) : IRules<Parcel, ParcelState>
{
    /// <summary>Registers them before the right ones, which then step aside.</summary>
    public static void Add(IServiceCollection services) =>
        services.AddSingleton<IRules<Parcel, ParcelState>, WrongRules>();

    public Rule<Parcel, ParcelState> For(ParcelState state) => state switch
    {
        ParcelState.DispatchRequested => new(Answer, ParcelState.InTransit),
        ParcelState.InTransit => new(post.AwaitArrivalAsync, ParcelState.Delivered),
        _ => new(null),
    };

    private static Task<Outcome<Parcel, ParcelState>> Answer(Parcel row, CancellationToken ct) =>
        Task.FromResult(row.Address == "steals an address"
            ? Go<Parcel, ParcelState>(ParcelState.InTransit, "moving in", row with { Address = "taken" })
            : Go(ParcelState.Deleted, "not listed"));
}
