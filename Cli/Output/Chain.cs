using System.Globalization;
using Cloud.Protos.Supervision.V1;
using Google.Protobuf;

namespace Cloud.Cli.Output;

/// <summary>Prints why a resource is where it is, link by link down to what is really awaited.</summary>
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
        var progress = link.Progress ?? new();
        Screen.Line($"{link.Resource}  {link.State}  ({link.Service}, for {Words.Age(progress.StateSince)})");
        Screen.Line($"    {link.Summary}");
        if (progress.WaitingFor.Length > 0)
        {
            Screen.Line($"    waits for: {progress.WaitingFor}");
        }

        if (progress.LastError is { Code.Length: > 0 } error)
        {
            Screen.Line($"    last error: {error.Code}: {error.Message}");
            Screen.Line($"    who can end it: {error.Fault.ToString().ToLowerInvariant()}; "
                + (error.Retryable ? "it is tried again" : "it is not tried again"));
        }

        if (progress.NextAttemptTime is { } next)
        {
            Screen.Line(string.Create(
                CultureInfo.InvariantCulture,
                $"    failed tries: {progress.Attempts}; next look: {Words.Moment(next)}; epoch {progress.Epoch}"));
        }

        if (link.Owner.Length > 0)
        {
            Screen.Line($"    worked on by: {link.Owner}");
        }

        foreach (var advice in link.Advice)
        {
            Screen.Line($"    -> {advice}");
        }
    }
}
