using System.Diagnostics;
using Cloud.ServiceDefaults.Supervision;

namespace Cloud.Benchmarks.Engine;

/// <summary>Times a number of steps, from the beginning of the first to the save of the last.</summary>
internal sealed class StepClock(int steps) : Checkpoints
{
    private readonly TaskCompletionSource<TimeSpan> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _began;
    private int _saved;

    /// <summary>Ends with the last step.</summary>
    public Task<TimeSpan> Ended => _ended.Task;

    /// <summary>A step begins.</summary>
    public void Begin() => Interlocked.CompareExchange(ref _began, Stopwatch.GetTimestamp(), 0);

    /// <inheritdoc/>
    public override ValueTask PassAsync(string place, CancellationToken ct)
    {
        if (place == "save.after" && Interlocked.Increment(ref _saved) == steps)
        {
            _ended.TrySetResult(Stopwatch.GetElapsedTime(Volatile.Read(ref _began)));
        }

        return ValueTask.CompletedTask;
    }
}
