using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Cloud.ServiceDefaults.Tests.Parcels;
using Cloud.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Supervision;

/// <summary>The numbers of the loop.</summary>
public sealed class Measured
{
    private static CancellationToken Ct => Patience.Token;

    [Fact]
    public async Task Due_rows_are_counted_by_state_when_somebody_reads()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        for (var n = 0; n < 3; n++)
        {
            var due = Parcel.To($"{n}") with { NextAttemptAt = depot.Clock.GetUtcNow() };
            await depot.InsertSilentlyAsync(due with { State = ParcelState.ReturnRequested }, Ct);
        }

        depot.Clock.Advance(TimeSpan.FromSeconds(40));
        var process = await depot.StartAsync(Ct, limits: options => options.StepsAtOnce = 0);
        using var meter = new Reading(process, "cloud.supervision.rows.due", "cloud.supervision.rows.oldest_due_age");
        await depot.TurnClockUntilAsync(
            () => meter.Read("cloud.supervision.rows.due return-requested") == 3, TimeSpan.Zero, Ct);
        Assert.Equal(40, meter.Read("cloud.supervision.rows.oldest_due_age return-requested"));
        Assert.Equal(0, meter.Read("cloud.supervision.rows.due in-transit"));
        Assert.Equal(0, meter.Read("cloud.supervision.rows.oldest_due_age in-transit"));
    }

    [Fact]
    public async Task Steps_are_timed_by_state_and_outcome_and_nudges_are_counted()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(Ct);
        using var meter = new Reading(process, "cloud.supervision.step.duration", "cloud.supervision.nudge.heard");
        await process.DeliverAsync("A", Ct);
        Assert.NotNull(meter.Read("cloud.supervision.step.duration dispatch-requested go"));
        Assert.NotNull(meter.Read("cloud.supervision.step.duration in-transit go"));
        Assert.Equal(1, meter.Read("cloud.supervision.nudge.heard"));
    }

    /// <summary>Reads instruments of one process's loop as an exporter does.</summary>
    private sealed class Reading : IDisposable
    {
        private readonly MeterListener _listener = new();
        private readonly ConcurrentDictionary<string, double> _values = new();

        public Reading(ParcelProcess process, params string[] names)
        {
            var factory = process.Services.GetRequiredService<IMeterFactory>();
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (ReferenceEquals(instrument.Meter.Scope, factory) && names.Contains(instrument.Name))
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            };
            _listener.SetMeasurementEventCallback<long>((i, value, tags, _) => Keep(i, value, tags));
            _listener.SetMeasurementEventCallback<double>((i, value, tags, _) => Keep(i, value, tags));
            _listener.Start();
        }

        public double? Read(string name)
        {
            _listener.RecordObservableInstruments();
            return _values.TryGetValue(name, out var value) ? value : null;
        }

        public void Dispose() => _listener.Dispose();

        private void Keep(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var name = instrument.Name;
            foreach (var (tag, label) in tags)
            {
                name += tag == "noun" ? "" : " " + label;
            }

            _values[name] = value;
        }
    }
}
