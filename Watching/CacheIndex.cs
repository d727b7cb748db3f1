using k8s;
using k8s.Models;

namespace Cloud.Watching;

/// <summary>
/// Finds cached objects by a term; made by <see cref="ObjectCache{T}.AddIndex"/> and always current with it.
/// </summary>
public sealed class CacheIndex<T>
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    private readonly Lock _gate;
    private readonly Func<T, IEnumerable<string>> _terms;
    private readonly Dictionary<string, Dictionary<ObjectKey, T>> _found = new(StringComparer.Ordinal);

    internal CacheIndex(Lock gate, Func<T, IEnumerable<string>> terms)
    {
        _gate = gate;
        _terms = terms;
    }

    /// <summary>The objects under that term at this moment; empty when there are none.</summary>
    public IReadOnlyList<T> Find(string term)
    {
        lock (_gate)
        {
            return _found.TryGetValue(term, out var items) ? [.. items.Values] : [];
        }
    }

    internal void Add(ObjectKey key, T item)
    {
        foreach (var term in _terms(item))
        {
            if (!_found.TryGetValue(term, out var items))
            {
                _found[term] = items = [];
            }

            items[key] = item;
        }
    }

    internal void Remove(ObjectKey key, T item)
    {
        foreach (var term in _terms(item))
        {
            if (_found.TryGetValue(term, out var items) && items.Remove(key) && items.Count == 0)
            {
                _found.Remove(term);
            }
        }
    }
}
