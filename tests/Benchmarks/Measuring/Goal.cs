using System.Globalization;

namespace Cloud.Benchmarks.Measuring;

/// <summary>What the design asks of a number, or of its ratio to its floor.</summary>
/// <param name="AtMost">Whether less is better.</param>
/// <param name="OfFloor">Whether the limit is a ratio to the floor.</param>
internal sealed record Goal(bool AtMost, double Limit, bool OfFloor)
{
    public static Goal NoMoreThan(double limit) => new(true, limit, false);

    public static Goal Times(double limit) => new(true, limit, true);

    public static Goal PartOfFloor(double limit) => new(false, limit, true);

    /// <summary>Null when it is about the floor and there is none.</summary>
    public bool? IsMet(double value, double? floor) =>
        OfFloor && floor is null ? null : Holds(OfFloor ? value / floor!.Value : value);

    public string Describe() => string.Create(
        CultureInfo.InvariantCulture, $"{(AtMost ? "<=" : ">=")} {Limit:0.##}{(OfFloor ? " x floor" : "")}");

    private bool Holds(double value) => AtMost ? value <= Limit : value >= Limit;
}
