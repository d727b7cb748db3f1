using System.CommandLine;
using System.Globalization;
using Cloud.Cli.Output;
using Cloud.Protos.Metrics.V1;
using Google.Protobuf.Collections;
using Google.Protobuf.WellKnownTypes;

namespace Cloud.Cli.Commands;

/// <summary>Receivers of events: who gets which, and how that goes.</summary>
internal static class WebhookCommands
{
    private static readonly string[] Headers =
        ["NAME", "STATE", "URL", "WAITING", "FAILING", "LAST SUCCESS", "ID"];

    public static Command Create()
    {
        var command = new Command(
            "webhooks", "Receivers that every event is posted to, signed as Standard Webhooks says.")
        {
            Add(), Show(), Update(), Delete(), Rotate(), Enable(), Disable(), WebhookDeliveryCommands.Test(),
            WebhookDeliveryCommands.Deliveries(), WebhookDeliveryCommands.Redeliver(), Why(),
        };
        var list = new Command("list", "What there is; the same as without a word.");
        list.Run(ListAsync);
        command.Subcommands.Add(list);
        command.Run(ListAsync);
        return command;
    }

    /// <summary>The webhook a person means, by name, id or webhooks/id; a live one first.</summary>
    public static async Task<Webhook> FindAsync(Session session, string words, CancellationToken ct)
    {
        var all = await AllAsync(session, showDeleted: true, ct);
        return all.Find(w => w.DisplayName == words && w.DeleteTime is null)
            ?? all.Find(w => w.Name == words || Words.Id(w.Name) == words)
            ?? all.FindLast(w => w.DisplayName == words)
            ?? throw new Refusal(ExitCode.NotFound, $"There is no webhook \"{words}\".", "See: cloud webhooks");
    }

    public static Argument<string> Name() => new("webhook") { Description = "its name, id or webhooks/<id>" };

    private static Task<List<Webhook>> AllAsync(Session session, bool showDeleted, CancellationToken ct) =>
        Pages.ReadAsync(
            (size, token) => session.Webhooks.ListWebhooksAsync(
                new() { ShowDeleted = showDeleted, PageSize = size, PageToken = token }, cancellationToken: ct),
            page => (page.Webhooks, page.NextPageToken));

    private static async Task<int> ListAsync(Session session, ParseResult parsed, CancellationToken ct)
    {
        var found = await AllAsync(session, showDeleted: false, ct);
        if (session.Format is OutputFormat.Json)
        {
            Screen.Documents(found);
        }
        else if (found.Count == 0)
        {
            Screen.Note("No webhooks. Make one: cloud webhooks create --help");
        }
        else
        {
            Screen.Table(Headers, found.Select(Row));
        }

        return ExitCode.Done;
    }

    private static Command Add()
    {
        var name = new Argument<string>("name") { Description = "what people will call it" };
        var url = new Argument<string>("url") { Description = "where events are posted" };
        var options = new WebhookOptions();
        var command = new Command(
            "create", "Make a webhook; it gets what happens from now on. The secret is shown only then.")
        {
            name, url,
        };
        options.AddTo(command);
        command.Run(async (session, parsed, ct) =>
        {
            var wanted = new Webhook
            {
                DisplayName = parsed.GetValue(name)!,
                Url = parsed.GetValue(url)!,
                Filter = await options.FilterAsync(session, parsed, ct),
            };
            foreach (var (header, value) in options.Headers(parsed))
            {
                wanted.Headers[header] = value;
            }

            var made = await session.Webhooks.CreateWebhookAsync(
                new() { Webhook = wanted }, cancellationToken: ct);
            return Tell(session, made, $"{made.DisplayName} is {made.State}: {made.Name}");
        });
        return command;
    }

    private static Command Show()
    {
        var name = Name();
        var command = new Command("show", "Everything about a webhook.") { name };
        command.Run(async (session, parsed, ct) =>
        {
            var webhook = await FindAsync(session, parsed.GetValue(name)!, ct);
            if (session.Format is OutputFormat.Json)
            {
                Screen.Document(webhook);
                return ExitCode.Done;
            }

            var filter = webhook.Filter;
            Screen.Table(["", ""], new (string, string)[]
            {
                ("name", webhook.Name), ("called", webhook.DisplayName), ("state", webhook.State), ("url", webhook.Url),
                ("nouns", Joined(filter.ResourceTypes)), ("events", Joined(filter.Types_)),
                ("resources", Joined(filter.ResourcePrefixes)), ("states", Joined(filter.States)),
                ("workspace", filter.Installation.Length == 0 ? "all" : filter.Installation),
                ("headers", webhook.Headers.Count == 0 ? Words.None : string.Join(", ", webhook.Headers.Keys)),
                ("earlier secrets until", Words.Moment(webhook.OldSecretsExpireTime)),
                ("looked at events up to", webhook.DeliveryStatus.Sequence.ToString(CultureInfo.InvariantCulture)),
                ("waiting", webhook.DeliveryStatus.PendingCount.ToString(CultureInfo.InvariantCulture)),
                ("oldest waits since", Words.Moment(webhook.DeliveryStatus.OldestPendingTime)),
                ("failing since", Words.Moment(webhook.DeliveryStatus.FailingSince)),
                ("last success", Words.Moment(webhook.DeliveryStatus.LastSuccessTime)),
                ("made", Words.Moment(webhook.CreateTime)),
            }.Select(row => (IReadOnlyList<string>)[row.Item1, row.Item2]));
            return ExitCode.Done;
        });
        return command;
    }

    private static Command Update()
    {
        var name = Name();
        var rename = new Option<string?>("--name") { Description = "call it so" };
        var url = new Option<string?>("--url") { Description = "post there" };
        var remove = new Option<string[]>("--remove-header")
        {
            Description = "no longer send this header", DefaultValueFactory = _ => [],
        };
        var options = new WebhookOptions();
        var command = new Command(
            "update", "Change a webhook. Any filter option replaces the whole filter; headers are added or replaced.")
        {
            name, rename, url, remove,
        };
        options.AddTo(command);
        command.Run(async (session, parsed, ct) =>
        {
            var webhook = await FindAsync(session, parsed.GetValue(name)!, ct);
            var mask = new FieldMask();
            if (parsed.GetValue(rename) is { } displayName)
            {
                webhook.DisplayName = displayName;
                mask.Paths.Add("display_name");
            }

            if (parsed.GetValue(url) is { } address)
            {
                webhook.Url = address;
                mask.Paths.Add("url");
            }

            if (options.HasFilter(parsed))
            {
                webhook.Filter = await options.FilterAsync(session, parsed, ct);
                mask.Paths.Add("filter");
            }

            var given = options.Headers(parsed).ToList();
            if (given.Count > 0 || parsed.GetValue(remove)!.Length > 0)
            {
                given.ForEach(header => webhook.Headers[header.Name] = header.Value);
                Array.ForEach(parsed.GetValue(remove)!, header => webhook.Headers.Remove(header.ToLowerInvariant()));
                mask.Paths.Add("headers");
            }

            var updated = await session.Webhooks.UpdateWebhookAsync(
                new() { Webhook = webhook, UpdateMask = mask }, cancellationToken: ct);
            return Tell(session, updated, $"{updated.DisplayName} is changed.");
        });
        return command;
    }

    private static Command Delete() => Verb(
        "delete",
        "End a webhook for good.",
        (session, found, ct) => session.Webhooks.DeleteWebhookAsync(
            new() { Name = found.Name }, cancellationToken: ct).ResponseAsync);

    private static Command Disable() => Verb(
        "disable",
        "Stop delivering; enable goes on from there.",
        (session, found, ct) => session.Webhooks.DisableWebhookAsync(
            new() { Name = found.Name }, cancellationToken: ct).ResponseAsync);

    private static Command Enable()
    {
        var name = Name();
        var skip = new Option<bool>("--skip-missed") { Description = "leave out what was not delivered until now" };
        var command = new Command(
            "enable", "Go on with a disabled webhook, or try at once what waits.")
        {
            name, skip,
        };
        command.Run(async (session, parsed, ct) =>
        {
            var found = await FindAsync(session, parsed.GetValue(name)!, ct);
            var after = await session.Webhooks.EnableWebhookAsync(
                new() { Name = found.Name, SkipMissed = parsed.GetValue(skip) }, cancellationToken: ct);
            return Tell(session, after, $"{after.DisplayName} is {after.State}.");
        });
        return command;
    }

    private static Command Rotate()
    {
        var name = Name();
        var overlap = new Option<double>("--overlap-hours")
        {
            Description = "how long the secrets before still sign too; 0 ends them at once",
            DefaultValueFactory = _ => 24,
        }.From(0, Bounds.LongestSpan.TotalHours);
        var command = new Command("rotate", "Make a new secret, which is shown only now.")
        {
            name, overlap,
        };
        command.Run(async (session, parsed, ct) =>
        {
            var found = await FindAsync(session, parsed.GetValue(name)!, ct);
            var after = await session.Webhooks.RotateWebhookSecretAsync(
                new()
                {
                    Name = found.Name,
                    Overlap = Duration.FromTimeSpan(TimeSpan.FromHours(parsed.GetValue(overlap))),
                },
                cancellationToken: ct);
            return Tell(session, after, $"{after.DisplayName} has a new secret.");
        });
        return command;
    }

    private static Command Why()
    {
        var name = Name();
        var command = new Command("why", "Why a webhook delivers or does not.") { name };
        command.Run(async (session, parsed, ct) =>
        {
            var found = await FindAsync(session, parsed.GetValue(name)!, ct);
            var why = await session.Webhooks.WhyWebhookAsync(new() { Name = found.Name }, cancellationToken: ct);
            Chain.Print(session, why, why.Chain);
            return ExitCode.Done;
        });
        return command;
    }

    private static Command Verb(
        string word, string description, Func<Session, Webhook, CancellationToken, Task<Webhook>> ask)
    {
        var name = Name();
        var command = new Command(word, description) { name };
        command.Run(async (session, parsed, ct) =>
        {
            var after = await ask(session, await FindAsync(session, parsed.GetValue(name)!, ct), ct);
            return Tell(session, after, $"{after.DisplayName} is {after.State}.");
        });
        return command;
    }

    private static int Tell(Session session, Webhook webhook, string sentence)
    {
        if (session.Format is OutputFormat.Json)
        {
            Screen.Document(webhook);
            return ExitCode.Done;
        }

        Screen.Line(sentence);
        if (webhook.Secret.Length > 0)
        {
            Screen.Line(webhook.Secret);
            Screen.Note("This is the secret that deliveries are signed with. It is not shown again.");
        }

        return ExitCode.Done;
    }

    private static string Joined(RepeatedField<string> values) => values.Count == 0 ? "all" : string.Join(", ", values);

    private static IReadOnlyList<string> Row(Webhook webhook) =>
    [
        webhook.DisplayName,
        webhook.Progress.LastError is { Code.Length: > 0 } error ? $"{webhook.State}: {error.Code}" : webhook.State,
        webhook.Url,
        webhook.DeliveryStatus.PendingCount.ToString(CultureInfo.InvariantCulture),
        Words.Age(webhook.DeliveryStatus.FailingSince),
        Words.Age(webhook.DeliveryStatus.LastSuccessTime),
        Words.Id(webhook.Name),
    ];
}
