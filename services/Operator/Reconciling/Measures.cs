using System.Diagnostics.Metrics;
using Cloud.Watching;

namespace Cloud.Operator.Reconciling;

/// <summary>What the operator counts. Names are those that dashboards of the predecessor look for.</summary>
public sealed class Measures : IDisposable
{
    public const string MeterName = "Cloud.Operator";

    private readonly Meter _meter = new(MeterName);
    private readonly Counter<long> _passes;
    private readonly Counter<long> _errors;
    private readonly Histogram<double> _seconds;

    public Measures()
    {
        _passes = _meter.CreateCounter<long>("controller_runtime_reconcile");
        _errors = _meter.CreateCounter<long>("controller_runtime_reconcile_errors");
        _seconds = _meter.CreateHistogram<double>("controller_runtime_reconcile_time_seconds");
    }

    /// <summary>Counts one pass.</summary>
    public void Passed(PassEnd end, TimeSpan took)
    {
        var controller = KeyValuePair.Create<string, object?>("controller", "mattermost");
        var result = end switch
        {
            PassEnd.Settled => "success",
            PassEnd.Waiting or PassEnd.TurnedAway => "requeue_after",
            PassEnd.Failed => "error",
        };
        _passes.Add(1, controller, KeyValuePair.Create<string, object?>("result", result));
        _seconds.Record(took.TotalSeconds, controller);
        if (end == PassEnd.Failed)
        {
            _errors.Add(1, controller);
        }
    }

    /// <summary>Shows the queue, the gate and the watches.</summary>
    public void Observe(WorkQueue<ObjectKey> queue, Slots slots, ClusterView view)
    {
        _meter.CreateObservableGauge("workqueue_depth", () => queue.Depth);
        _meter.CreateObservableGauge("operator_installations_in_progress", () => slots.Held);
        _meter.CreateObservableGauge("operator_installations_held_back", () => slots.Waiting);
        _meter.CreateObservableGauge("operator_watch_failures", () => view.Statuses.Select(s =>
            new Measurement<int>(s.Status.Failures, KeyValuePair.Create<string, object?>("kind", s.Kind))));
    }

    public void Dispose() => _meter.Dispose();
}
