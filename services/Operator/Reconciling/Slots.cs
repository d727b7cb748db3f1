using Cloud.Watching;

namespace Cloud.Operator.Reconciling;

/// <summary>
/// Limits how many resources may be in progress at once, so that an upgrade of a whole fleet does not start every pod
/// of the cluster together.
/// </summary>
/// <remarks>
/// Guarantees: a resource that is already in progress always proceeds. Another one enters while fewer than the limit
/// are in progress; else it waits in line, and the first in line is called the moment a place is free.
/// Failures: broken resources hold their places, so as many of them as there are places stop everything that is new;
/// they are counted in metrics and their status says what is wrong.
/// </remarks>
public sealed class Slots(int limit)
{
    private readonly Lock _gate = new();
    private readonly HashSet<ObjectKey> _holders = [];
    private readonly LinkedList<ObjectKey> _line = new();
    private readonly HashSet<ObjectKey> _inLine = [];

    /// <summary>Calls a resource that waited; its pass then tries to enter again.</summary>
    public event Action<ObjectKey>? Called;

    /// <summary>Resources in progress.</summary>
    public int Held
    {
        get
        {
            lock (_gate)
            {
                return _holders.Count;
            }
        }
    }

    /// <summary>Resources that wait.</summary>
    public int Waiting
    {
        get
        {
            lock (_gate)
            {
                return _line.Count;
            }
        }
    }

    /// <summary>Takes a place for a pass; false puts the resource in line.</summary>
    public bool TryEnter(ObjectKey key, bool isInProgress)
    {
        lock (_gate)
        {
            if (!isInProgress && !_holders.Contains(key) && _holders.Count >= limit)
            {
                if (_inLine.Add(key))
                {
                    _line.AddLast(key);
                }

                return false;
            }

            _holders.Add(key);
            Unline(key);
            return true;
        }
    }

    /// <summary>Notes that a resource is in progress, or is not any more (stable, or gone).</summary>
    public void Note(ObjectKey key, bool isInProgress)
    {
        ObjectKey? next = null;
        lock (_gate)
        {
            if (isInProgress)
            {
                _holders.Add(key);
            }
            else
            {
                // Also when this one held nothing: the one called before may have gone without entering.
                _holders.Remove(key);
                next = _holders.Count < limit ? _line.First?.Value : null;
                if (next is { } first)
                {
                    Unline(first);
                }
            }
        }

        if (next is { } called)
        {
            Called?.Invoke(called);
        }
    }

    /// <summary>Forgets a resource that is gone.</summary>
    public void Forget(ObjectKey key)
    {
        lock (_gate)
        {
            Unline(key);
        }

        Note(key, false);
    }

    private void Unline(ObjectKey key)
    {
        if (_inLine.Remove(key))
        {
            _line.Remove(key);
        }
    }
}
