using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;

namespace Cloud.TestHost.Journeys;

/// <summary>
/// The checkpoints of every process in a world where many lives go on at once. Each turn of the loop and each request
/// is a flow of its own, told by its <see cref="RequestContext"/>; a flow belongs to the life whose row the turn is
/// about, or whose name the request carries as its actor. What passes a place for no life is let through.
/// </summary>
/// <remarks>A turn may begin before the life knows its row's name, which comes with the answer: it then waits at its
/// first place.</remarks>
public sealed class LifeFaults : Checkpoints
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource<Life?>> _rows = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Life> _actors = new(StringComparer.Ordinal);
    private readonly ConditionalWeakTable<RequestContext, Flow> _flows = [];
    private volatile bool _isArmed;

    internal Flow? CurrentFlow => _flows.TryGetValue(RequestContext.Current, out var flow) ? flow : null;

    /// <inheritdoc/>
    public override async ValueTask PassAsync(string place, CancellationToken ct)
    {
        if (!_isArmed)
        {
            return;
        }

        var context = RequestContext.Current;
        if (!_flows.TryGetValue(context, out var flow))
        {
            var life = context.Resource is { } resource
                ? await Row(resource).Task.WaitAsync(ct)
                : _actors.GetValueOrDefault(context.Actor);
            if (life is null)
            {
                return;
            }

            flow = _flows.GetValue(context, _ => new Flow(life, context.Resource is null));
        }

        await flow.PassAsync(place);
    }

    /// <summary>From now on rows belong to lives, but for those that are there already.</summary>
    internal void Arm(IEnumerable<string> ofNoLife)
    {
        foreach (var resource in ofNoLife)
        {
            Row(resource).TrySetResult(null);
        }

        _isArmed = true;
    }

    internal void Begin(Life life) => _actors[life.Id] = life;

    internal void Bind(string resource, Life life) => Row(resource).TrySetResult(life);

    /// <summary>A life is over: what still moves of it is let through.</summary>
    internal void End(Life life) => _actors.TryRemove(life.Id, out _);

    private TaskCompletionSource<Life?> Row(string resource) => _rows.GetOrAdd(
        resource, _ => new TaskCompletionSource<Life?>(TaskCreationOptions.RunContinuationsAsynchronously));
}

/// <summary>One turn of the loop, or one request.</summary>
internal sealed class Flow(Life life, bool isRequest)
{
    /// <summary>How places of requests begin.</summary>
    public const string AskedTo = "asked to ";

    private readonly Lock _gate = new();
    private readonly Dictionary<string, int> _times = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private string _state = isRequest ? $"{AskedTo}{life.Asking}" : "";
    private bool _isDead;

    public Life Life => life;

    public bool IsRequest => isRequest;

    /// <summary>Ends when the turn gives its lease back, or is dead.</summary>
    public Task Ended => _ended.Task;

    /// <summary>A step begins.</summary>
    public void Enter(string state)
    {
        lock (_gate)
        {
            _state = state;
            _times.Clear();
        }

        life.Entered(state);
    }

    public void Die()
    {
        lock (_gate)
        {
            _isDead = true;
        }

        _ended.TrySetResult();
    }

    public async ValueTask PassAsync(string place)
    {
        string name;
        lock (_gate)
        {
            if (_isDead)
            {
                throw new CrashedException(place);
            }

            var times = _times[place] = _times.GetValueOrDefault(place) + 1;
            name = $"{_state}: {place}" + (times > 1 ? $" ({times})" : "");
        }

        await life.PassAsync(this, place, name);
        if (place == "lease.release")
        {
            _ended.TrySetResult();
        }
    }
}
