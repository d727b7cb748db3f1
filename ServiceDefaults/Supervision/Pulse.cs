using System.Threading.Channels;

namespace Cloud.ServiceDefaults.Supervision;

/// <summary>A wake-up call for one loop. Many raises before the loop looks are one, and a raise while it works is kept,
/// so that none is lost. It can also be set like an alarm clock, which costs one timer for the life of the
/// loop.</summary>
public sealed class Pulse : IDisposable
{
    private readonly Channel<bool> _raised = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    private readonly TimeProvider _time;
    private readonly ITimer _alarm;
    private readonly Lock _gate = new();
    private DateTimeOffset _alarmAt = DateTimeOffset.MaxValue;

    /// <param name="time">The clock of the alarm.</param>
    public Pulse(TimeProvider time)
    {
        _time = time;
        _alarm = time.CreateTimer(
            static self => ((Pulse)self!).Ring(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Wakes the loop, now or as soon as it waits.</summary>
    public void Raise() => _raised.Writer.TryWrite(true);

    /// <summary>Raises at a moment, in place of any alarm set before; at once when it has passed.</summary>
    public void RaiseAt(DateTimeOffset moment)
    {
        lock (_gate)
        {
            _alarmAt = moment;
            var wait = moment - _time.GetUtcNow();
            _alarm.Change(wait > TimeSpan.Zero ? wait : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>As <see cref="RaiseAt"/>, unless an alarm is set that comes first.</summary>
    public void RaiseBy(DateTimeOffset moment)
    {
        lock (_gate)
        {
            if (moment < _alarmAt)
            {
                RaiseAt(moment);
            }
        }
    }

    /// <summary>Waits for the next raise.</summary>
    public async ValueTask WaitAsync(CancellationToken ct) => await _raised.Reader.ReadAsync(ct);

    private void Ring()
    {
        lock (_gate)
        {
            _alarmAt = DateTimeOffset.MaxValue;
        }

        Raise();
    }

    /// <inheritdoc/>
    public void Dispose() => _alarm.Dispose();
}
