using System.CommandLine;
using System.Globalization;
using Cloud.Cli.Output;
using Cloud.Protos.Installation.V1;
using Cloud.Protos.Supervision.V1;
using Grpc.Core;

namespace Cloud.Cli.Commands;

/// <summary>The verbs that only look at workspaces.</summary>
internal static class ReadCommands
{
    private static readonly string[] Headers =
        ["NAME", "STATE", "VERSION", "SIZE", "CLUSTER", "OWNER", "IN STATE", "URL", "ID"];

    public static IEnumerable<Command> All() => [List(), Show(), Watch(), Why()];

    private static Command List()
    {
        var filter = new FilterOptions();
        var command = new Command("list", "All workspaces, oldest first.");
        command.Aliases.Add("ls");
        filter.AddTo(command);
        command.Run(async (session, parsed, ct) =>
        {
            var wanted = filter.Read(parsed);
            var found = await Pages.ReadAsync(
                (size, token) => session.Installations.ListInstallationsAsync(
                    new() { Filter = wanted, PageSize = size, PageToken = token }, cancellationToken: ct),
                page => (page.Installations, page.NextPageToken));
            if (session.Format is OutputFormat.Json)
            {
                Screen.Documents(found);
            }
            else if (found.Count == 0)
            {
                Screen.Note("No workspaces. Make one: cloud create acme");
            }
            else
            {
                Screen.Table(Headers, found.Select(Row));
            }

            return ExitCode.Done;
        });
        return command;
    }

    private static Command Show()
    {
        var name = new Argument<string>("workspace") { Description = "address, id or installations/<id>" };
        var command = new Command("show", "Everything about one workspace.") { name };
        command.Run(async (session, parsed, ct) =>
        {
            var found = await Lookup.InstallationAsync(session, parsed.GetValue(name)!, ct);
            if (session.Format is OutputFormat.Json)
            {
                Screen.Document(found);
                return ExitCode.Done;
            }

            Screen.Table(
                ["FIELD", "VALUE"], Fields(found).Select(pair => (IReadOnlyList<string>)[pair.Name, pair.Value]));
            return ExitCode.Done;
        });
        return command;
    }

    private static Command Watch()
    {
        var name = new Argument<string?>("workspace")
        {
            Description = "one workspace; without it, all that match",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var filter = new FilterOptions();
        var command = new Command("watch", "What there is, then every change as it happens. Ctrl+C ends it.") { name };
        filter.AddTo(command);
        command.Run(async (session, parsed, ct) =>
        {
            var request = new WatchInstallationsRequest { Filter = filter.Read(parsed) };
            if (parsed.GetValue(name) is { } words)
            {
                request.Filter.DnsName = (await Lookup.InstallationAsync(session, words, ct)).DnsNames[0];
            }

            await NormalRetries.ResumeAsync(
                async () =>
                {
                    using var stream = session.Installations.WatchInstallations(request, cancellationToken: ct);
                    await foreach (var message in stream.ResponseStream.ReadAllAsync(ct))
                    {
                        request.ResumeToken = message.ResumeToken;
                        Print(session, message);
                    }
                },
                () => request.ResumeToken.Length > 0,
                ct);
            return ExitCode.Done;
        });
        return command;
    }

    private static Command Why()
    {
        var name = new Argument<string>("resource")
        {
            Description = "a workspace's address or id, or the name of any resource, such as logicalDatabases/<id>",
        };
        var command = new Command(
            "why", "What it waits for and rests on, across services: since when, the last error, and who can act.")
        {
            name,
        };
        command.Run(async (session, parsed, ct) =>
        {
            var (whole, chain) = await Resources.WhyAsync(session, parsed.GetValue(name)!, ct);
            Chain.Print(session, whole, chain);
            return ExitCode.Done;
        });
        return command;
    }

    private static void Print(Session session, WatchInstallationsResponse message)
    {
        if (session.Format is OutputFormat.Json)
        {
            Screen.DocumentLine(message);
        }
        else if (message.Kind is WatchKind.Snapshot or WatchKind.Change)
        {
            var at = message.Installation.UpdateTime?.ToDateTimeOffset()
                .ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture);
            var state = message.PreviousState.Length > 0 && message.PreviousState != message.Installation.State
                ? $"{message.PreviousState} -> {message.Installation.State}"
                : message.Installation.State;
            Screen.Line($"{at}  {message.Installation.DnsNames[0],-30} {state,-60} {message.Reason}".TrimEnd());
        }
        else if (message.Kind is WatchKind.SnapshotEnd)
        {
            Screen.Note("(changes follow; Ctrl+C ends)");
        }
    }

    private static IReadOnlyList<string> Row(Installation found) =>
    [
        found.DnsNames[0], found.State, found.Version, found.Size, Words.OrNone(Words.Id(found.Cluster)), found.OwnerId,
        Words.Age(found.Progress?.StateSince), found.Url, Words.Id(found.Name),
    ];

    private static IEnumerable<(string Name, string Value)> Fields(Installation found) =>
    [
        ("name", found.Name),
        ("address", string.Join(", ", found.DnsNames)),
        ("url", found.Url),
        ("state", $"{found.State} (for {Words.Age(found.Progress?.StateSince)})"),
        ("waits for", Words.OrNone(found.Progress?.WaitingFor ?? string.Empty)),
        ("last error", found.Progress?.LastError is { Code.Length: > 0 } e ? $"{e.Code}: {e.Message}" : Words.None),
        ("owner", Words.OrNone(found.OwnerId)),
        ("version", found.Version),
        ("image", found.Image),
        ("size", found.Size),
        ("affinity", found.Affinity),
        ("environment", Words.OrNone(string.Join(", ", found.MattermostEnv.Keys.Order()))),
        ("cluster", Words.OrNone(found.Cluster)),
        ("cluster installation", Words.OrNone(found.ClusterInstallation)),
        ("logical database", Words.OrNone(found.LogicalDatabase)),
        ("created", Words.Moment(found.CreateTime)),
        ("changed", Words.Moment(found.UpdateTime)),
        ("final deletion", Words.Moment(found.PurgeTime)),
        ("deleted", Words.Moment(found.DeleteTime)),
        ("etag", found.Etag),
    ];
}
