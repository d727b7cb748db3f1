using System.Collections.Concurrent;
using System.Diagnostics;

namespace Cloud.Benchmarks.Latency;

/// <summary>When which call for which installation came in and was answered, and the nudge went out.</summary>
internal sealed class CallTimes
{
    private readonly ConcurrentDictionary<(string Installation, string What), long> _moments = new();

    /// <summary>Notes the first time only: a step that is run again asks again.</summary>
    public void Note(string installation, string what) =>
        _moments.TryAdd((installation, what), Stopwatch.GetTimestamp());

    /// <summary>As above, for what happened before the name was known.</summary>
    public void Note(string installation, string what, long moment) => _moments.TryAdd((installation, what), moment);

    public bool Has(string installation, string what) => _moments.ContainsKey((installation, what));

    /// <summary>Milliseconds between two of them, for each of these installations.</summary>
    public IReadOnlyList<double> Between(IReadOnlyList<string> installations, string from, string to) =>
    [
        .. installations
            .Select(i => Stopwatch.GetElapsedTime(_moments[(i, from)], _moments[(i, to)]).TotalMilliseconds),
    ];
}
