using Cloud.ServiceDefaults.Supervision;

namespace Cloud.TestHost;

/// <summary>
/// The checkpoints of one process under test. It counts the places that work passes, and can be told to crash the
/// process at one of them, or to hold it there. A crashed process changes nothing any more: every place it passes
/// afterwards throws too, so that it neither saves nor gives its lease back.
/// </summary>
public sealed class FaultPoints : Checkpoints
{
    private readonly Lock _gate = new();
    private readonly List<string> _passed = [];
    private readonly Dictionary<string, int> _times = new(StringComparer.Ordinal);
    private readonly List<Hold> _holds = [];
    private readonly List<(string Place, int Times, TaskCompletionSource Signal)> _waits = [];
    private readonly TaskCompletionSource _crashed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _crashAt;

    /// <summary>The places passed so far, in order.</summary>
    public IReadOnlyList<string> Passed
    {
        get
        {
            lock (_gate)
            {
                return [.. _passed];
            }
        }
    }

    /// <summary>How often a place was passed so far.</summary>
    public int TimesPassed(string place)
    {
        lock (_gate)
        {
            return _times.GetValueOrDefault(place);
        }
    }

    /// <summary>Ends when the process has crashed.</summary>
    public Task Crashed => _crashed.Task;

    /// <summary>Crashes the process at the n-th place it passes from the beginning (1 is the first).</summary>
    public void CrashAt(int pass)
    {
        lock (_gate)
        {
            _crashAt = pass;
        }
    }

    /// <summary>Holds whoever passes a place next until released.</summary>
    public Hold HoldAt(string place)
    {
        var hold = new Hold(place);
        lock (_gate)
        {
            _holds.Add(hold);
        }

        return hold;
    }

    /// <summary>Waits until a place has been passed so many times in all.</summary>
    public Task PassedAsync(string place, int times, CancellationToken ct)
    {
        var signal = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (_times.GetValueOrDefault(place) >= times)
            {
                return Task.CompletedTask;
            }

            _waits.Add((place, times, signal));
        }

        return signal.Task.WaitAsync(ct);
    }

    /// <summary>Waits until a place was passed at least once, or the process has crashed.</summary>
    public Task SettledAsync(string place, CancellationToken ct) => Task.WhenAny(PassedAsync(place, 1, ct), Crashed);

    /// <inheritdoc/>
    public override async ValueTask PassAsync(string place, CancellationToken ct)
    {
        Hold? hold;
        lock (_gate)
        {
            if (_crashed.Task.IsCompleted || _passed.Count + 1 == _crashAt)
            {
                _crashed.TrySetResult();
                throw new CrashedException(place);
            }

            _passed.Add(place);
            var times = _times[place] = _times.GetValueOrDefault(place) + 1;
            hold = _holds.Find(h => h.Place == place);
            if (hold is not null)
            {
                _holds.Remove(hold);
            }

            foreach (var wait in _waits.FindAll(w => w.Place == place && w.Times <= times))
            {
                _waits.Remove(wait);
                wait.Signal.TrySetResult();
            }
        }

        if (hold is not null)
        {
            await hold.StopHereAsync();
        }
    }
}

/// <summary>A place where one passer is held. It does not see its cancellation meanwhile, like a paused
/// process.</summary>
public sealed class Hold(string place)
{
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Where it is.</summary>
    public string Place => place;

    /// <summary>Waits until somebody stands there.</summary>
    public Task ReachedAsync(CancellationToken ct) => _reached.Task.WaitAsync(ct);

    /// <summary>Lets them go on.</summary>
    public void Release() => _released.TrySetResult();

    internal Task StopHereAsync()
    {
        _reached.TrySetResult();
        return _released.Task;
    }
}

/// <summary>The process is gone; what was under way does not go on.</summary>
public sealed class CrashedException(string place) : Exception($"Crashed at {place}.");
