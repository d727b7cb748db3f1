namespace Cloud.Events;

/// <summary>Whose events are taken in. A source is a row and a label of metrics for good, so that names which nobody
/// expects are refused.</summary>
public sealed class EventSourceOptions
{
    private const string Anybody = "*";

    /// <summary>The services whose events are taken in. Settings add to them; <c>*</c> stands for all.</summary>
    public IList<string> Sources { get; } = ["cluster", "database-pool", "installation", "metrics"];

    /// <summary>Whether events of this source are taken in.</summary>
    public bool Includes(string source) => Sources.Contains(source) || Sources.Contains(Anybody);
}
