namespace Cloud.ServiceDefaults.Supervision;

/// <summary>
/// Nudges of rows that another worker held. It heard them too and looks again when its step ends, so nothing is done
/// about them now; but it may be dead, and the row may wait for long. So each is asked about once, when the lease of a
/// dead worker has run out: was the row looked at since? One query answers for all, and nearly always with "yes".
/// Bounded: of more than <see cref="KeptMax"/> the rest is forgotten, and those rows wait for their own time.
/// </summary>
internal sealed class UnansweredNudges
{
    /// <summary>Most nudges kept.</summary>
    public const int KeptMax = 1000;

    private readonly Lock _gate = new();

    private readonly Dictionary<string, (DateTimeOffset HeardAt, DateTimeOffset AskAt)> _kept =
        new(StringComparer.Ordinal);

    /// <summary>Keeps a nudge until it is time to ask about it.</summary>
    public void Keep(string id, DateTimeOffset heardAt, DateTimeOffset askAt)
    {
        lock (_gate)
        {
            if (_kept.Count < KeptMax || _kept.ContainsKey(id))
            {
                _kept[id] = (heardAt, askAt);
            }
        }
    }

    /// <summary>When it is time to ask about the first; never when none is kept.</summary>
    public DateTimeOffset NextAt
    {
        get
        {
            lock (_gate)
            {
                return _kept.Count == 0 ? DateTimeOffset.MaxValue : _kept.Values.Min(nudge => nudge.AskAt);
            }
        }
    }

    /// <summary>Takes out those whose time to ask has come.</summary>
    public IReadOnlyList<(string Id, DateTimeOffset HeardAt)> TakeDue(DateTimeOffset now)
    {
        lock (_gate)
        {
            var due = _kept.Where(pair => pair.Value.AskAt <= now).Select(p => (p.Key, p.Value.HeardAt)).ToList();
            foreach (var (id, _) in due)
            {
                _kept.Remove(id);
            }

            return due;
        }
    }
}
