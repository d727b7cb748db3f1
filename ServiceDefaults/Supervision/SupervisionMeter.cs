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
    private readonly Histogram<double> _stepDuration;
    private readonly Counter<long> _leasesRefused;
    private readonly Counter<long> _leasesLost;
    private readonly Counter<long> _savesLost;
    private readonly Counter<long> _nudgesHeard;

    /// <summary>Registers the instruments.</summary>
    public SupervisionMeter(IMeterFactory meters)
    {
        _meter = meters.Create(Name);
        _stepDuration = _meter.CreateHistogram<double>(
            "cloud.supervision.step.duration", "s", "Time a step took, by noun, state and outcome.");
        _leasesRefused = _meter.CreateCounter<long>(
            "cloud.supervision.lease.refused", "{lease}", "Leases that another worker held.");
        _leasesLost = _meter.CreateCounter<long>(
            "cloud.supervision.lease.lost", "{lease}", "Leases lost during a step.");
        _savesLost = _meter.CreateCounter<long>(
            "cloud.supervision.save.lost", "{save}", "Saves refused because the row was changed or taken over.");
        _nudgesHeard = _meter.CreateCounter<long>(
            "cloud.supervision.nudge.heard", "{nudge}", "Nudges heard, from this process and from others.");
    }

    internal void StepEnded(string noun, string state, string outcome, TimeSpan took) =>
        _stepDuration.Record(took.TotalSeconds, new("noun", noun), new("state", state), new("outcome", outcome));

    internal void LeaseRefused(string noun) => _leasesRefused.Add(1, new KeyValuePair<string, object?>("noun", noun));

    internal void LeaseLost(string noun) => _leasesLost.Add(1, new KeyValuePair<string, object?>("noun", noun));

    internal void SaveLost(string noun) => _savesLost.Add(1, new KeyValuePair<string, object?>("noun", noun));

    internal void NudgeHeard(string noun) => _nudgesHeard.Add(1, new KeyValuePair<string, object?>("noun", noun));

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();
}
