using System.Collections.Immutable;

namespace Cloud.Simulator.ApiServers;

/// <summary>What a <see cref="FaultRule"/> does to a request that it matches.</summary>
/// <param name="Code">HTTP status code to answer; null lets the request through.</param>
/// <param name="Latency">Time to wait before anything else happens.</param>
/// <param name="CutConnection">True closes the connection without an answer (a watch: after it has begun).</param>
public sealed record FaultEffect(int? Code, TimeSpan Latency, bool CutConnection);

/// <summary>One instruction to fail or slow down. Empty or <c>*</c> matches everything.</summary>
public sealed record FaultRule
{
    /// <summary>Name of the rule, unique in its cluster; chosen by whoever puts it.</summary>
    public string Id { get; init; } = "";

    /// <summary>
    /// API verb (get, list, watch, create, update, patch, delete, deletecollection) or a controller's own.
    /// </summary>
    public string? Verb { get; init; }

    /// <summary>
    /// Resource as in <see cref="IClusterApi"/>, with its subresource after a slash: <c>pods/status</c>.
    /// </summary>
    public string? Resource { get; init; }

    /// <summary>Namespace of the request.</summary>
    public string? Namespace { get; init; }

    /// <summary>Share of matching requests that are hit, 0 to 1.</summary>
    public double Probability { get; init; } = 1;

    /// <summary>How many more requests are hit before the rule wears out; null is without end.</summary>
    public int? Count { get; init; }

    /// <summary>HTTP status code to answer.</summary>
    public int? ErrorCode { get; init; }

    /// <summary>Milliseconds to wait.</summary>
    public int LatencyMs { get; init; }

    /// <summary>Close the connection instead of answering.</summary>
    public bool CutConnection { get; init; }
}

/// <summary>
/// The faults of one cluster. Rules are asked in the order in which they were put; the first that hits decides.
/// Safe for use from any thread.
/// </summary>
public sealed class Faults(Random random)
{
    private readonly Lock _gate = new();
    private ImmutableList<FaultRule> _rules = [];

    /// <summary>The rules in force, with what is left of their counts.</summary>
    public IReadOnlyList<FaultRule> Rules => _rules;

    /// <summary>Adds a rule, or replaces the one with the same id in its place.</summary>
    public void Put(FaultRule rule)
    {
        lock (_gate)
        {
            var at = _rules.FindIndex(r => r.Id == rule.Id);
            _rules = at < 0 ? _rules.Add(rule) : _rules.SetItem(at, rule);
        }
    }

    /// <summary>Removes a rule; false when there is none of this id.</summary>
    public bool Remove(string id)
    {
        lock (_gate)
        {
            var before = _rules.Count;
            _rules = _rules.RemoveAll(r => r.Id == id);
            return _rules.Count < before;
        }
    }

    /// <summary>Removes every rule.</summary>
    public void Clear()
    {
        lock (_gate) _rules = [];
    }

    /// <summary>What happens to this request; null when nothing does. Uses up one of the rule's count.</summary>
    public FaultEffect? Hit(string verb, string resource, string? ns)
    {
        if (_rules.IsEmpty) return null;
        lock (_gate)
        {
            foreach (var rule in _rules)
            {
                if (!Matches(rule, verb, resource, ns)) continue;
                if (rule.Probability < 1 && random.NextDouble() >= rule.Probability) continue;
                if (rule.Count is { } left)
                    _rules = left <= 1 ? _rules.Remove(rule) : _rules.Replace(rule, rule with { Count = left - 1 });
                return new FaultEffect(rule.ErrorCode, TimeSpan.FromMilliseconds(rule.LatencyMs), rule.CutConnection);
            }
            return null;
        }
    }

    private static bool Matches(FaultRule rule, string verb, string resource, string? ns) =>
        Matches(rule.Verb, verb) && Matches(rule.Resource, resource) && Matches(rule.Namespace, ns ?? "");

    private static bool Matches(string? pattern, string value) =>
        string.IsNullOrEmpty(pattern) || pattern == "*" || pattern == value;
}
