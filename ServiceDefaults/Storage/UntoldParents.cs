namespace Cloud.ServiceDefaults.Storage;

/// <summary>
/// Who may not have been told of a numbered event. Its writer tells the parent right after the commit, unless it dies
/// between the two; whoever numbers the event cannot see that, and may well do so before the parent is told. So it
/// keeps the parent until somebody is heard telling it, in this process or another, and tells it by itself when
/// nobody was for <see cref="ToldWithin"/>. While all live that costs a look into a table in memory per nudge of the
/// parents' noun. What is heard here was sent for any reason: the parent looks at everything then.
/// Bounded: of more than <see cref="KeptMax"/> the rest is forgotten, and those parents wait for their own time; of
/// more than <see cref="HeardMax"/> nudges a second, some parents are told twice.
/// </summary>
internal sealed class UntoldParents(INudges nudges, IEnumerable<WorkingStates> working, TimeProvider time) : IDisposable
{
    /// <summary>Most parents kept.</summary>
    public const int KeptMax = 1000;

    /// <summary>Most nudges remembered, twice.</summary>
    public const int HeardMax = 10_000;

    /// <summary>A writer that lives has told who waits for its event by then. One that is slower has them told
    /// twice.</summary>
    public static readonly TimeSpan ToldWithin = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, IDisposable> _hearing = new(StringComparer.Ordinal);
    private readonly Dictionary<Nudge, DateTimeOffset> _untold = [];
    private readonly HashSet<(string, string?)> _working =
        [.. working.SelectMany(noun => noun.States.Select(state => (noun.Noun, (string?)state)))];

    private Dictionary<Nudge, DateTimeOffset> _heard = [];
    private Dictionary<Nudge, DateTimeOffset> _heardBefore = [];
    private DateTimeOffset _heardSince;

    /// <summary>Keeps the parent of a numbered event, unless the event is of something still at work, which tells
    /// nobody.</summary>
    public void Keep(ServedParent served)
    {
        if (_working.Contains((served.ResourceType, served.NewState)))
        {
            return;
        }

        var parent = Nudge.Of(served.Parent);
        Hear(parent.Noun);
        lock (_gate)
        {
            var told = _heard.TryGetValue(parent, out var at) || _heardBefore.TryGetValue(parent, out at);
            if (!(told && at >= served.OccurredAt) && _untold.Count < KeptMax)
            {
                _untold.TryAdd(parent, served.OccurredAt);
            }
        }
    }

    /// <summary>Begins to hear who of a noun is told. Before that they are told twice.</summary>
    public void Hear(string noun)
    {
        lock (_gate)
        {
            if (!_hearing.ContainsKey(noun))
            {
                _hearing.Add(noun, nudges.Subscribe(noun, id => Heard(noun, id)));
            }
        }
    }

    /// <summary>Takes out those that nobody has told of what happened before a moment.</summary>
    public IReadOnlyList<Nudge> TakeThose(DateTimeOffset before)
    {
        lock (_gate)
        {
            var taken = _untold.Where(pair => pair.Value < before).Select(pair => pair.Key).ToList();
            foreach (var parent in taken)
            {
                _untold.Remove(parent);
            }

            return taken;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var hearing in _hearing.Values)
        {
            hearing.Dispose();
        }
    }

    private void Heard(string noun, string? id)
    {
        if (id is null)
        {
            return;
        }

        var now = time.GetUtcNow();
        lock (_gate)
        {
            // Two tables that take turns: what was heard is known for a second at least, and nothing is looked through.
            if (now - _heardSince >= ToldWithin || _heard.Count >= HeardMax)
            {
                (_heardBefore, _heard, _heardSince) = (_heard, [], now);
            }

            var parent = new Nudge(noun, id);
            _heard[parent] = now;
            _untold.Remove(parent);
        }
    }
}

/// <summary>The states of a noun that have a step. Who comes to rest tells its parent, who works does not.</summary>
internal sealed record WorkingStates(string Noun, IReadOnlyList<string> States);
