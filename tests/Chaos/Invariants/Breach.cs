namespace Cloud.Chaos.Invariants;

/// <summary>Something that must hold and does not.</summary>
/// <param name="Invariant">Which: a few words.</param>
/// <param name="Subject">The resource whose history explains it; empty when there is none.</param>
/// <param name="What">In words.</param>
internal sealed record Breach(string Invariant, string Subject, string What)
{
    public override string ToString() => $"{Invariant}: {(Subject.Length > 0 ? Subject + ": " : "")}{What}";
}
