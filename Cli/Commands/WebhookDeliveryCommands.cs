using System.CommandLine;
using System.Globalization;
using Cloud.Cli.Output;
using Cloud.Protos.Metrics.V1;

namespace Cloud.Cli.Commands;

/// <summary>What was posted to a webhook, what came back, and posting it again.</summary>
internal static class WebhookDeliveryCommands
{
    private static readonly string[] Headers =
        ["DELIVERY", "EVENT", "RESOURCE", "STATUS", "TRIES", "LAST ANSWER", "TOOK", "NEXT TRY", "AGE"];

    public static Command Test()
    {
        var name = WebhookCommands.Name();
        var command = new Command("test", "Post a ping now and say what came of it.") { name };
        command.Run(async (session, parsed, ct) =>
        {
            var found = await WebhookCommands.FindAsync(session, parsed.GetValue(name)!, ct);
            var ping = await session.Webhooks.TestWebhookAsync(
                new() { Name = found.Name }, cancellationToken: ct);
            Print(session, ping, $"The ping {ping.Status}: {Answer(ping)}");
            return ping.Status == "succeeded" ? ExitCode.Done : ExitCode.Failed;
        });
        return command;
    }

    public static Command Deliveries()
    {
        var name = WebhookCommands.Name();
        var status = new Option<string[]>("--status")
        {
            Description = "only pending, succeeded, failed or cancelled ones",
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => [],
        };
        var resource = new Option<string?>("--resource") { Description = "only about this resource, by its name" };
        var limit = new Option<int>("--limit", "-n")
        {
            Description = "the newest so many", DefaultValueFactory = _ => 50,
        };
        var command = new Command("deliveries", "The log of deliveries, newest first.")
        {
            name, status, resource, limit,
        };
        command.Run(async (session, parsed, ct) =>
        {
            var found = await WebhookCommands.FindAsync(session, parsed.GetValue(name)!, ct);
            var request = new ListWebhookDeliveriesRequest
            {
                Parent = found.Name,
                Statuses = { parsed.GetValue(status)! },
                Resource = parsed.GetValue(resource) ?? string.Empty,
            };
            var deliveries = await Pages.ReadAsync(
                (size, token) =>
                {
                    (request.PageSize, request.PageToken) = (size, token);
                    return session.Webhooks.ListWebhookDeliveriesAsync(request, cancellationToken: ct);
                },
                page => (page.Deliveries, page.NextPageToken),
                parsed.GetValue(limit));
            if (session.Format is OutputFormat.Json)
            {
                Screen.Documents(deliveries);
            }
            else
            {
                Screen.Table(Headers, deliveries.Select(Row));
            }

            return ExitCode.Done;
        });
        return command;
    }

    public static Command Redeliver()
    {
        var name = WebhookCommands.Name();
        var delivery = new Argument<string?>("delivery")
        {
            Description = "one delivery, as the log calls it", Arity = ArgumentArity.ZeroOrOne,
        };
        var after = new Option<long?>("--after")
        {
            Description = "all events after this sequence (0: from the oldest kept)",
        };
        var through = new Option<long>("--through") { Description = "with --after: up to and with this one" };
        var failed = new Option<bool>("--failed") { Description = "those that failed only; alone: all of them" };
        var command = new Command("redeliver", "Post again: one delivery, a part of the feed, or what failed.")
        {
            name, delivery, after, through, failed,
        };
        command.Needs(through, after);
        command.Excludes(after, delivery);
        command.Excludes(failed, delivery);
        command.Run(async (session, parsed, ct) =>
        {
            var found = await WebhookCommands.FindAsync(session, parsed.GetValue(name)!, ct);
            if (parsed.GetValue(delivery) is { } id)
            {
                var again = await session.Webhooks.RedeliverWebhookDeliveryAsync(
                    new() { Name = $"{found.Name}/deliveries/{Words.Id(id)}" }, cancellationToken: ct);
                Print(session, again, $"{Words.Id(again.Name)} is {again.Status}.");
                return ExitCode.Done;
            }

            if (parsed.GetValue(after) is null && !parsed.GetValue(failed))
            {
                throw new Refusal(ExitCode.Usage, "Say which: a delivery, --after <sequence>, or --failed.");
            }

            var webhook = await session.Webhooks.RedeliverWebhookDeliveriesAsync(
                new()
                {
                    Name = found.Name,
                    AfterSequence = parsed.GetValue(after) ?? 0,
                    ThroughSequence = parsed.GetValue(through),
                    OnlyFailed = parsed.GetValue(failed),
                },
                cancellationToken: ct);
            if (session.Format is OutputFormat.Json)
            {
                Screen.Document(webhook);
            }
            else
            {
                Screen.Line($"{webhook.DisplayName} gets them again.");
                Screen.Note($"See: cloud webhooks deliveries {webhook.DisplayName}");
            }

            return ExitCode.Done;
        });
        return command;
    }

    private static void Print(Session session, WebhookDelivery delivery, string sentence)
    {
        if (session.Format is OutputFormat.Json)
        {
            Screen.Document(delivery);
        }
        else
        {
            Screen.Line(sentence);
        }
    }

    private static string Answer(WebhookDelivery delivery) => delivery.Attempts switch
    {
        [] => Words.None,
        [.., { ErrorCode: "" } last] => last.HttpStatus.ToString(CultureInfo.InvariantCulture),
        [.., { ErrorCode: "HTTP_STATUS" } last] => last.HttpStatus.ToString(CultureInfo.InvariantCulture),
        [.., var last] => $"{last.ErrorCode}: {last.Error}",
    };

    private static IReadOnlyList<string> Row(WebhookDelivery delivery) =>
    [
        Words.Id(delivery.Name), delivery.EventType, Words.OrNone(delivery.Resource), delivery.Status,
        delivery.AttemptCount.ToString(CultureInfo.InvariantCulture), Answer(delivery),
        delivery.Attempts is [.., var last] ? Words.Seconds(last.Duration.ToTimeSpan()).Trim() : Words.None,
        Words.Moment(delivery.NextAttemptTime), Words.Age(delivery.CreateTime),
    ];
}
