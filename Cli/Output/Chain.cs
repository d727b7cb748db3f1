using System.Globalization;
using Cloud.Protos.Supervision.V1;
using Google.Protobuf;

namespace Cloud.Cli.Output;

/// <summary>Prints why a resource is where it is, as a tree down to what is really awaited.</summary>
internal static class Chain
{
    public static void Print(Session session, IMessage whole, IEnumerable<Explanation> links)
    {
        if (session.Format is OutputFormat.Json)
        {
            Screen.Document(whole);
            return;
        }

        foreach (var link in links)
        {
            Print(link);
        }
    }

    private static void Print(Explanation link)
    {
        const int step = 4;
        var edge = new string(' ', link.Depth * step);
        var inner = edge + new string(' ', step);
        var progress = link.Progress ?? new();
        var since = progress.StateSince is null ? "" : $", for {Words.Age(progress.StateSince)}";
        Screen.Line($"{edge}{link.Resource}  {link.State}  ({link.Service}{since})");
        Screen.Line($"{inner}{link.Summary}");
        if (progress.WaitingFor.Length > 0 && !link.Summary.Contains(
            progress.WaitingFor.TrimEnd('.'), StringComparison.Ordinal))
        {
            Screen.Line($"{inner}waits for: {progress.WaitingFor}");
        }

        if (progress.LastError is { Code.Length: > 0 } error)
        {
            Screen.Line($"{inner}last error: {error.Code}; "
                + $"who can end it: {error.Fault.ToString().ToLowerInvariant()}; "
                + (error.Retryable ? "it is tried again" : "it is not tried again by itself"));
        }

        if (progress.NextAttemptTime is { } next)
        {
            Screen.Line(string.Create(
                CultureInfo.InvariantCulture,
                $"{inner}failed tries: {progress.Attempts}; next look: {Words.Moment(next)}; epoch {progress.Epoch}"));
        }

        if (link.Owner.Length > 0)
        {
            Screen.Line($"{inner}worked on by: {link.Owner}");
        }

        foreach (var advice in link.Advice)
        {
            Screen.Line($"{inner}-> {advice}");
        }
    }
}
