using System.Globalization;
using Cloud.Chaos.Invariants;

namespace Cloud.Chaos;

/// <summary>What came of a run.</summary>
/// <param name="Asks">Requests, each counted once however often it was sent.</param>
/// <param name="Acknowledged">Those of them that took effect.</param>
/// <param name="Deeds">Acts of sabotage.</param>
/// <param name="Kills">Processes ended.</param>
/// <param name="ToRest">How long it took after the last deed until nothing moved any more.</param>
internal sealed record RunResult(
    int Seed, int Asks, int Acknowledged, int Deeds, int Kills, TimeSpan ToRest, TimeSpan Took,
    IReadOnlyList<Breach> Breaches)
{
    /// <summary>What happened to each resource that a breach is about.</summary>
    public IReadOnlyList<string> Story { get; init; } = [];

    /// <summary>In a line.</summary>
    public string Summary => string.Create(
        CultureInfo.InvariantCulture,
        $"seed {Seed,-4} {(Breaches.Count == 0 ? "clean " : "BROKEN")}  {Asks} requests, {Acknowledged} took effect; "
        + $"{Deeds} acts of sabotage, {Kills} kills; at rest after {ToRest.TotalSeconds:0.0} s; "
        + $"{Took.TotalSeconds:0} s in all");

    /// <summary>What is broken and everything that is known about it.</summary>
    /// <param name="folder">Where the run left its timeline and the logs.</param>
    public string Tell(string folder) =>
        $"seed {Seed} is BROKEN\n{string.Join('\n', Breaches.Select(breach => $"  {breach}"))}\n"
        + $"{string.Join('\n', Story)}\n\nthe whole timeline and the logs: {folder}\n";
}
