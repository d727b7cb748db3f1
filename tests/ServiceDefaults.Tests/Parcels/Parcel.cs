using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Cloud.ServiceDefaults.Tests.Parcels;

/// <summary>The states of the noun these tests supervise.</summary>
public enum ParcelState
{
    DispatchRequested,
    InTransit,
    Delivered,
    RedirectRequested,
    ReturnRequested,
    Deleted,
    DispatchFailed,
}

public enum Urgency
{
    SecondClass,
    FirstClass,
}

public sealed record Stop(string City, int Days);

/// <summary>A noun with a column of every kind.</summary>
public sealed record Parcel : SupervisedRow<ParcelState>
{
    public required string Address { get; init; }

    public string? Depot { get; init; }

    public Urgency? Urgency { get; init; }

    public double Weight { get; init; }

    public decimal? InsuredFor { get; init; }

    public bool Fragile { get; init; }

    public IReadOnlyDictionary<string, string> Stamps { get; init; } = new Dictionary<string, string>();

    public IReadOnlyList<Stop> Stops { get; init; } = [];

    public string[] Tags { get; init; } = [];

    public byte[]? Seal { get; init; }

    public TimeSpan? PromisedWithin { get; init; }

    public DateTimeOffset? CollectedAt { get; init; }

    [NotStored]
    public string Note { get; init; } = "";

    public bool IsHeavy => Weight > 20;

    public static Parcel To(string address) => new()
    {
        Id = ResourceId.New(), State = ParcelState.DispatchRequested, Address = address,
    };
}

public sealed class ParcelStore(Database database)
    : SupervisedStore<Parcel, ParcelState>(database, "parcels", "parcel", "parcels")
{
    public Task<IReadOnlyList<Parcel>> InStatesAsync(CancellationToken ct, params ParcelState[] states)
    {
        var names = states.Select(StateNames<ParcelState>.Of).ToArray();
        return SelectAsync("WHERE state = ANY (@names) ORDER BY id", new { names }, ct);
    }

    public Task<Parcel> AddAsync(Parcel parcel, CancellationToken ct) => Database.InTransactionAsync(
        (transaction, token) => InsertAsync(transaction, parcel, "asked for", token), ct);

    public Task<Parcel?> RequestAsync(string id, Func<Parcel, Parcel> change, CancellationToken ct) =>
        Database.InTransactionAsync(
            (transaction, token) => ChangeAsync(transaction, id, change, "asked for", token), ct);

    protected override ResourceEvent? EventFor(Parcel? before, Parcel after, ResourceEvent draft) =>
        draft with
        {
            Parent = after.Depot is null ? null : $"depots/{after.Depot}",
            Snapshot = Shown(after).ToByteArray(),
            Nudges = after.NextAttemptAt is null && after.Depot is not null ? [new Nudge("depot", after.Depot)] : [],
        };

    /// <summary>A parcel as clients see it: where it goes.</summary>
    public static StringValue Shown(Parcel parcel) => new() { Value = parcel.Address };

    public Task<IReadOnlyList<Parcel>> ListAsync(
        string? address, PageKey? after, int limit, CancellationToken ct) =>
        PageAsync(new Conditions().Equal("address", address), after, limit, ct);
}
