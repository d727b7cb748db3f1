using Microsoft.Extensions.Logging;

namespace Cloud.ServiceDefaults.Supervision;

/// <summary>How many rows of a state are due, and since when the oldest is.</summary>
internal readonly record struct DueCount(string State, long Rows, DateTimeOffset? OldestDueAt);

/// <summary>
/// The due rows of one noun for those who measure. It asks PostgreSQL only when somebody reads, at most every
/// <see cref="AskEvery"/>, and never makes the reader wait: it answers what was known at the reading before, hence
/// nothing at the first one. What could not be asked, or was asked long ago, is left out.
/// </summary>
/// <param name="states">The states that have a step: told also when none of their rows is due.</param>
internal sealed class DueRows(
    string noun,
    IReadOnlyList<string> states,
    Func<CancellationToken, Task<IReadOnlyList<DueCount>>> ask,
    TimeProvider time,
    ILogger logger)
{
    /// <summary>How often PostgreSQL is asked at most.</summary>
    public static readonly TimeSpan AskEvery = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan ToldFor = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private IReadOnlyList<DueCount> _known = [];
    private DateTimeOffset _askedAt;
    private DateTimeOffset _answeredAt;
    private bool _asking;

    /// <summary>The noun.</summary>
    public string Noun => noun;

    /// <summary>What is known; asks anew when that is old.</summary>
    public IReadOnlyList<DueCount> Read()
    {
        lock (_gate)
        {
            var now = time.GetUtcNow();
            if (!_asking && now - _askedAt >= AskEvery)
            {
                (_asking, _askedAt) = (true, now);
                _ = Task.Run(AskAsync);
            }

            return now - _answeredAt < ToldFor ? _known : [];
        }
    }

    private async Task AskAsync()
    {
        IReadOnlyList<DueCount> answer = [];
        try
        {
            using var limit = new CancellationTokenSource(AnswerWithin, time);
            var due = await ask(limit.Token);
            answer = [.. due, .. states.Except(due.Select(d => d.State)).Select(s => new DueCount(s, 0, null))];
        }
        catch (Exception e)
        {
            // The loop and the health say what is wrong with PostgreSQL; here it only leaves a gap in a graph.
            logger.LogDebug(e, "Not counting the due rows of {Noun}", noun);
        }

        lock (_gate)
        {
            (_known, _answeredAt, _asking) = (answer, time.GetUtcNow(), false);
        }
    }
}
