using System.CommandLine;
using System.Globalization;
using Cloud.Cli.Output;
using Cloud.Protos.Metrics.V1;
using Grpc.Core;

namespace Cloud.Cli.Commands;

/// <summary>What happened, across all services and in one order.</summary>
internal static class EventCommands
{
    public static Command Create()
    {
        var name = new Argument<string?>("workspace")
        {
            Description = "only what belongs to this workspace",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var type = new Option<string[]>("--resource-type")
        {
            Description = "installation, cluster, cluster_installation, database_server or logical_database",
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => [],
        };
        var limit = new Option<int>("--limit", "-n")
        {
            Description = "the newest so many", DefaultValueFactory = _ => 50,
        };
        var follow = new Option<bool>("--follow", "-f") { Description = "go on with new ones; Ctrl+C ends" };
        var after = new Option<long?>("--after")
        {
            Description = "with --follow: from this sequence on (0: the oldest kept)",
        };
        var command = new Command("events", "What happened, oldest first.") { name, type, limit, follow, after };
        command.Needs(after, follow);
        command.Excludes(follow, limit);
        command.Run(async (session, parsed, ct) =>
        {
            var filter = new EventFilter { ResourceTypes = { parsed.GetValue(type)! } };
            if (parsed.GetValue(name) is { } words)
            {
                filter.Installation = (await Lookup.InstallationAsync(session, words, ct)).Name;
            }

            if (!parsed.GetValue(follow))
            {
                Print(session, await NewestAsync(session, filter, parsed.GetValue(limit), ct));
                return ExitCode.Done;
            }

            var request = new WatchEventsRequest { Filter = filter };
            if (parsed.GetValue(after) is { } sequence)
            {
                request.AfterSequence = sequence;
            }

            await NormalRetries.ResumeAsync(
                async () =>
                {
                    using var stream = session.Events.WatchEvents(request, cancellationToken: ct);
                    await foreach (var message in stream.ResponseStream.ReadAllAsync(ct))
                    {
                        request.ResumeToken = message.ResumeToken;
                        request.ClearAfterSequence(); // One or the other says where to begin.
                        if (message.Event is { } happened)
                        {
                            Print(session, happened);
                        }
                    }
                },
                () => request.ResumeToken.Length > 0,
                ct);
            return ExitCode.Done;
        });
        return command;
    }

    private static async Task<List<Event>> NewestAsync(
        Session session, EventFilter filter, int limit, CancellationToken ct)
    {
        var found = await Pages.ReadAsync(
            (size, token) => session.Events.ListEventsAsync(
                new() { Filter = filter, PageSize = size, PageToken = token }, cancellationToken: ct),
            page => (page.Events, page.NextPageToken),
            limit);
        found.Reverse();
        return found;
    }

    private static void Print(Session session, List<Event> events)
    {
        if (session.Format is OutputFormat.Json)
        {
            Screen.Documents(events);
            return;
        }

        events.ForEach(happened => Screen.Line(Sentence(happened)));
    }

    private static void Print(Session session, Event happened)
    {
        if (session.Format is OutputFormat.Json)
        {
            Screen.DocumentLine(happened);
        }
        else
        {
            Screen.Line(Sentence(happened));
        }
    }

    private static string Sentence(Event happened)
    {
        var at = happened.OccurTime?.ToDateTimeOffset()
            .ToString("yyyy-MM-dd HH:mm:ss.fff", CultureInfo.InvariantCulture);
        var change = happened.OldState == happened.NewState || happened.OldState.Length == 0
            ? $"{happened.Type} ({happened.NewState})"
            : $"{happened.OldState} -> {happened.NewState}";
        return $"{happened.Sequence,7}  {at}  {happened.Resource,-50} {change,-62} {happened.Reason}".TrimEnd();
    }
}
