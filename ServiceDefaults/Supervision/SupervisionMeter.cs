using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Cloud.ServiceDefaults.Supervision;

/// <summary>Numbers and traces of the loop. Labels are nouns, states and outcomes: bounded by the code.</summary>
public sealed class SupervisionMeter : IDisposable
{
    /// <summary>Name of the meter and of the activity source.</summary>
    public const string Name = "Cloud.Supervision";

    internal static readonly ActivitySource Activities = new(Name);

    private readonly Meter _meter;
    private readonly ConcurrentBag<DueRows> _nouns = [];
    private readonly TimeProvider _time;
    private readonly Histogram<double> _stepDuration;
    private readonly Counter<long> _leasesRefused;
    private readonly Counter<long> _leasesLost;
    private readonly Counter<long> _savesLost;
    private readonly Counter<long> _nudgesHeard;

    /// <summary>Registers the instruments.</summary>
    public SupervisionMeter(IMeterFactory meters, TimeProvider time)
    {
        _time = time;
        _meter = meters.Create(Name);
        _stepDuration = _meter.CreateHistogram<double>(
            "cloud.supervision.step.duration", "s", "Time a step took, by noun, state and outcome.",
            advice: DurationBuckets.Seconds);
        _leasesRefused = _meter.CreateCounter<long>(
            "cloud.supervision.lease.refused", "{lease}", "Leases that another worker held.");
        _leasesLost = _meter.CreateCounter<long>(
            "cloud.supervision.lease.lost", "{lease}", "Leases lost during a step.");
        _savesLost = _meter.CreateCounter<long>(
            "cloud.supervision.save.lost", "{save}", "Saves refused because the row was changed or taken over.");
        _meter.CreateObservableGauge(
            "cloud.supervision.rows.due",
            () => Due(count => count.Rows),
            "{row}",
            "Rows whose time has come, by noun and state. Every replica tells the same number.");
        _meter.CreateObservableGauge(
            "cloud.supervision.rows.oldest_due_age",
            () => Due(count => count.OldestDueAt is { } since ? (_time.GetUtcNow() - since).TotalSeconds : 0),
            "s",
            "How long the oldest of them is due; 0 when none is.");
        _nudgesHeard = _meter.CreateCounter<long>(
            "cloud.supervision.nudge.heard", "{nudge}", "Nudges heard, from this process and from others.");
    }

    /// <summary>Measures the due rows of a noun from now on.</summary>
    internal void Watch(DueRows rows) => _nouns.Add(rows);

    internal void StepEnded(string noun, string state, string outcome, TimeSpan took) =>
        _stepDuration.Record(took.TotalSeconds, new("noun", noun), new("state", state), new("outcome", outcome));

    internal void LeaseRefused(string noun) => _leasesRefused.Add(1, new KeyValuePair<string, object?>("noun", noun));

    internal void LeaseLost(string noun) => _leasesLost.Add(1, new KeyValuePair<string, object?>("noun", noun));

    internal void SaveLost(string noun) => _savesLost.Add(1, new KeyValuePair<string, object?>("noun", noun));

    internal void NudgeHeard(string noun) => _nudgesHeard.Add(1, new KeyValuePair<string, object?>("noun", noun));

    private IEnumerable<Measurement<T>> Due<T>(Func<DueCount, T> measure)
        where T : struct =>
        from noun in _nouns
        from count in noun.Read()
        select new Measurement<T>(measure(count), new("noun", noun.Noun), new("state", count.State));

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();
}
