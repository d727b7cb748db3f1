using System.Collections.Concurrent;

namespace Cloud.ServiceDefaults.Supervision;

/// <summary>Which loops of this process pause, since when and why; what the health check tells.</summary>
public sealed class LoopHealth
{
    private readonly ConcurrentDictionary<string, PausedLoop> _paused = new(StringComparer.Ordinal);

    /// <summary>The loops that pause now, by name.</summary>
    public IReadOnlyList<PausedLoop> Paused => [.. _paused.Values.OrderBy(loop => loop.Name, StringComparer.Ordinal)];

    internal void Pauses(PausedLoop loop) => _paused[loop.Name] = loop;

    internal void Runs(string name) => _paused.TryRemove(name, out _);
}

/// <summary>A loop that pauses because what it needs fails.</summary>
/// <param name="Name">What it works on, for example <c>installation</c>.</param>
/// <param name="Since">When it failed first.</param>
/// <param name="Reason">What failed last.</param>
public sealed record PausedLoop(string Name, DateTimeOffset Since, string Reason);
