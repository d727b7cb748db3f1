using System.Collections.Concurrent;
using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Supervision;
using static Cloud.ServiceDefaults.Supervision.Outcome;

namespace Cloud.ServiceDefaults.Tests.Parcels;

/// <summary>The world outside: what steps ensure there, and how it can be made to fail. It refuses writes of a lower
/// epoch than it has seen, as the product's outside objects do.</summary>
public sealed class PostOffice
{
    private readonly ConcurrentDictionary<string, long> _epochs = new();

    /// <summary>Parcels that are out there now, by derived name.</summary>
    public ConcurrentDictionary<string, string> Sent { get; } = new();

    /// <summary>How often each parcel was made or changed outside, whether it was there already or not.</summary>
    public ConcurrentDictionary<string, int> Touches { get; } = new();

    /// <summary>Parcels that have arrived.</summary>
    public ConcurrentDictionary<string, bool> Arrived { get; } = new();

    /// <summary>Parcels arrive as soon as they are sent.</summary>
    public bool ArriveAtOnce { get; set; } = true;

    /// <summary>Comes first in every step, for tests that hold, fail or count it.</summary>
    public Func<Parcel, CancellationToken, Task> Before { get; set; } = (_, _) => Task.CompletedTask;

    public async Task<Outcome<Parcel, ParcelState>> DispatchAsync(Parcel parcel, CancellationToken ct)
    {
        await Before(parcel, ct);
        Ensure(parcel);
        return Go(ParcelState.InTransit, "handed to the post");
    }

    public async Task<Outcome<Parcel, ParcelState>> AwaitArrivalAsync(Parcel parcel, CancellationToken ct)
    {
        await Before(parcel, ct);
        return ArriveAtOnce || Arrived.ContainsKey(parcel.Id)
            ? Go<Parcel, ParcelState>(ParcelState.Delivered, "arrived", parcel with { Tags = ["arrived"] })
            : Wait("it is on its way", TimeSpan.FromMinutes(1));
    }

    public async Task<Outcome<Parcel, ParcelState>> RedirectAsync(Parcel parcel, CancellationToken ct)
    {
        await Before(parcel, ct);
        Ensure(parcel);
        return Go(ParcelState.Delivered, "redirected");
    }

    public async Task<Outcome<Parcel, ParcelState>> ReturnAsync(Parcel parcel, CancellationToken ct)
    {
        await Before(parcel, ct);
        Fence(parcel);
        Sent.TryRemove("parcel-" + parcel.Id, out _);
        return Go(ParcelState.Deleted, "returned");
    }

    private void Ensure(Parcel parcel)
    {
        Fence(parcel);
        Sent["parcel-" + parcel.Id] = parcel.Address;
        Touches.AddOrUpdate(parcel.Id, 1, (_, n) => n + 1);
    }

    private void Fence(Parcel parcel)
    {
        var highest = _epochs.AddOrUpdate(parcel.Id, parcel.Epoch, (_, known) => Math.Max(known, parcel.Epoch));
        if (highest > parcel.Epoch)
        {
            throw new StepException(ErrorReason.EpochStale, $"epoch {parcel.Epoch} is older than {highest}");
        }
    }
}

public sealed class ParcelRules(PostOffice post) : IRules<Parcel, ParcelState>
{
    public static readonly TimeSpan GiveUpAfter = TimeSpan.FromHours(1);

    public Rule<Parcel, ParcelState> For(ParcelState state) => state switch
    {
        ParcelState.DispatchRequested => new(post.DispatchAsync, ParcelState.InTransit)
        {
            Priority = 3, GiveUpAfter = GiveUpAfter, OnFailure = ParcelState.DispatchFailed,
        },
        ParcelState.InTransit => new(post.AwaitArrivalAsync, ParcelState.Delivered)
        {
            Deadline = TimeSpan.FromSeconds(20), GiveUpAfter = GiveUpAfter, OnFailure = ParcelState.DispatchFailed,
        },
        ParcelState.RedirectRequested => new(post.RedirectAsync, ParcelState.Delivered),
        ParcelState.ReturnRequested => new(post.ReturnAsync, ParcelState.Deleted),
        ParcelState.Delivered or ParcelState.Deleted or ParcelState.DispatchFailed => new(null),
    };
}
