using System.Collections.Concurrent;
using System.Diagnostics;

namespace Cloud.Benchmarks.Reading;

/// <summary>Two ways to ask a server: as fast as it answers, and at a rate whatever it answers.</summary>
internal static class Load
{
    private const int CallersAtOnce = 16;
    private static readonly TimeSpan Beat = TimeSpan.FromMilliseconds(5);

    /// <summary>Answers per second when every caller asks again at once.</summary>
    public static async Task<double> FullAsync(
        Func<int, CancellationToken, Task> ask, TimeSpan time, CancellationToken ct)
    {
        var (asked, began) = (0, Stopwatch.GetTimestamp());
        await Task.WhenAll(Enumerable.Range(0, CallersAtOnce).Select(_ => Task.Run(
            async () =>
            {
                while (Stopwatch.GetElapsedTime(began) < time)
                {
                    await ask(Interlocked.Increment(ref asked), ct);
                }
            },
            ct)));
        return asked / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    /// <summary>Milliseconds that each answer took at a steady rate, which a server that stalls does not slow
    /// down.</summary>
    public static async Task<IReadOnlyList<double>> SteadyAsync(
        Func<int, CancellationToken, Task> ask, double perSecond, TimeSpan time, CancellationToken ct)
    {
        var (began, answers, open) = (Stopwatch.GetTimestamp(), new ConcurrentBag<double>(), new List<Task>());
        while (Stopwatch.GetElapsedTime(began) is var elapsed && elapsed < time)
        {
            for (; open.Count < elapsed.TotalSeconds * perSecond; open.Add(AskAsync(open.Count)))
            {
                // One for each that is due by now.
            }

            await Task.Delay(Beat, TimeProvider.System, ct);
        }

        await Task.WhenAll(open);
        return [.. answers];

        async Task AskAsync(int n)
        {
            var asked = Stopwatch.GetTimestamp();
            await ask(n, ct);
            answers.Add(Stopwatch.GetElapsedTime(asked).TotalMilliseconds);
        }
    }
}
