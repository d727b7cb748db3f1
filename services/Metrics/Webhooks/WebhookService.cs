using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Google.Protobuf;
using Grpc.Core;
using Npgsql;
using static Cloud.Webhooks.WebhookState;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Webhooks;

/// <summary>The gRPC face of webhooks; what it says about deliveries is in <see cref="Redelivery"/>.</summary>
public sealed class WebhookService(
    WebhookStore store,
    DeliveryStore deliveries,
    QueueStore queue,
    RequestLedger requests,
    WebhookSecrets secrets,
    WebhookChecks checks,
    Delivery delivery,
    Redelivery redelivery,
    WebhookWatch watch) : Proto.WebhookService.WebhookServiceBase
{
    /// <summary>Most live webhooks. Each has a turn of its own in the loop, so that none waits for another.</summary>
    public const int WebhooksMax = 100;

    /// <summary>Most earlier secrets that deliveries are signed with.</summary>
    private const int OldSecretsMax = 4;

    private static readonly TimeSpan OverlapDefault = TimeSpan.FromHours(24);

    /// <inheritdoc/>
    public override async Task<Proto.Webhook> CreateWebhook(
        Proto.CreateWebhookRequest request, ServerCallContext context)
    {
        checks.Check(request);
        var wanted = Wanted(request.Webhook);
        var made = await WriteAsync(context, request, () => wanted.DisplayName, async (tx, ct) =>
        {
            if (await store.CountLiveAsync(tx, ct) >= WebhooksMax)
            {
                throw Problem.Exhausted(
                    ErrorReason.WebhooksTooMany, $"There are {WebhooksMax} webhooks; delete one first.");
            }

            var row = await store.InsertAsync(tx, wanted, "created", ct);
            await queue.OpenAsync(tx, row.Id, ct);
            return WithSecret(row.ToProto(await DeliveryStore.BacklogAsync(tx, row.Id, ct)), row);
        });
        if (request.ValidateOnly)
        {
            // What was only rehearsed has neither name nor secret.
            (made.Name, made.Secret) = ("", "");
        }

        return made;
    }

    /// <inheritdoc/>
    public override async Task<Proto.Webhook> GetWebhook(Proto.GetWebhookRequest request, ServerCallContext context)
    {
        var (webhook, backlog) = await FindAsync(request.Name, context.CancellationToken);
        return webhook.ToProto(backlog);
    }

    /// <inheritdoc/>
    public override async Task<Proto.ListWebhooksResponse> ListWebhooks(
        Proto.ListWebhooksRequest request, ServerCallContext context)
    {
        var problems = new FieldProblems();
        StateFilter.Check<WebhookState>(request.States, problems);
        var size = PageSize.Of(request.PageSize, problems);
        var hash = PageToken.HashOf(
            Webhook.Collection, string.Join(',', request.States), request.ShowDeleted ? "deleted" : "");
        var after = PageKey.Read(request.PageToken, hash, problems);
        problems.ThrowIfAny();

        // One more than asked for tells whether there is a next page.
        var found = await store.ListAsync(
            new WebhookListFilter(request.States, request.ShowDeleted), after, size + 1, context.CancellationToken);
        var backlogs = await deliveries.BacklogsAsync(
            found.Take(size).Select(webhook => webhook.Id), context.CancellationToken);
        var reply = new Proto.ListWebhooksResponse();
        var last = Page.Fill(reply.Webhooks, found, size, webhook => webhook.ToProto(backlogs[webhook.Id]));
        reply.NextPageToken = last is null ? "" : PageKey.Of(last).ToToken(hash);
        return reply;
    }

    /// <inheritdoc/>
    public override async Task<Proto.Webhook> UpdateWebhook(
        Proto.UpdateWebhookRequest request, ServerCallContext context)
    {
        var id = checks.Check(request);
        var verb = new Verb(id, request.Webhook.Etag, "update");
        return await ChangeAsync(context, request, verb, "updated", row => Changed(row, request), async (tx, now, ct) =>
        {
            // What was wrong with the receiver may be right now.
            if (request.UpdateMask.Paths.Contains("url") || request.UpdateMask.Paths.Contains("headers"))
            {
                await queue.RetryNowAsync(tx, now.Id, ct);
            }
        });
    }

    /// <inheritdoc/>
    public override Task<Proto.Webhook> DeleteWebhook(Proto.DeleteWebhookRequest request, ServerCallContext context)
    {
        var verb = new Verb(IdOf(request.Name), request.Etag, "delete");
        return ChangeAsync(
            context,
            request,
            verb,
            "deleted",
            row => row.State == Deleted
                ? row
                : row with
                {
                    State = Deleted, Secret = "", OldSecrets = [], Headers = new Dictionary<string, string>(),
                },
            (tx, row, ct) => queue.CancelAsync(tx, row.Id, ct));
    }

    /// <inheritdoc/>
    public override async Task<Proto.Webhook> RotateWebhookSecret(
        Proto.RotateWebhookSecretRequest request, ServerCallContext context)
    {
        var id = WebhookChecks.Check(request);
        var overlap = request.Overlap?.ToTimeSpan() ?? OverlapDefault;
        var secret = secrets.Seal(WebhookSecrets.New());
        var verb = new Verb(id, request.Etag, "rotate the secret of");
        return await ChangeAsync(
            context,
            request,
            verb,
            "its secret was rotated",
            row => Rotated(row, secret, overlap),
            null,
            (message, row) => request.ValidateOnly ? message : WithSecret(message, row));
    }

    /// <inheritdoc/>
    public override Task<Proto.Webhook> EnableWebhook(Proto.EnableWebhookRequest request, ServerCallContext context)
    {
        var verb = new Verb(IdOf(request.Name), request.Etag, "enable");
        return ChangeAsync(
            context, request, verb, "enabled", row => row with { State = Enabled }, async (tx, row, ct) =>
            {
                if (request.SkipMissed)
                {
                    await queue.CancelAsync(tx, row.Id, ct);
                    await queue.SkipToEndAsync(tx, row.Id, ct);
                }

                await queue.RetryNowAsync(tx, row.Id, ct);
                tx.NudgeAfterCommit(new Nudge(store.Noun, row.Id));
            });
    }

    /// <inheritdoc/>
    public override Task<Proto.Webhook> DisableWebhook(Proto.DisableWebhookRequest request, ServerCallContext context)
    {
        var verb = new Verb(IdOf(request.Name), request.Etag, "disable");
        return ChangeAsync(context, request, verb, "disabled by request", row => row with { State = Disabled }, null);
    }

    /// <inheritdoc/>
    public override async Task<Proto.WebhookDelivery> TestWebhook(
        Proto.TestWebhookRequest request, ServerCallContext context)
    {
        var (webhook, _) = await FindAsync(request.Name, context.CancellationToken);
        WebhookChecks.RefuseDeleted(webhook, "test");
        WebhookDelivery? ping = null;
        var noted = await requests.OnceAsync(
            context.Method,
            request.RequestId,
            request,
            async (tx, ct) => (ping = await queue.OpenPingAsync(tx, webhook.Id, ct)).ToProto(),
            context.CancellationToken);
        if (ping is null)
        {
            // Asked before: how that ping went, or that it is under way.
            var known = await deliveries.FindAsync(
                webhook.Id, noted.Name[(noted.Name.LastIndexOf('/') + 1)..], context.CancellationToken);
            return known?.ToProto() ?? noted;
        }

        try
        {
            var tried = await delivery.PingAsync(webhook, ping, context.CancellationToken);
            await redelivery.SaveAsync(tried, context.CancellationToken);
            return tried.ToProto();
        }
        catch (StepException unreadable)
        {
            throw Problem.FailedPrecondition(unreadable.Reason, webhook.Name, unreadable.Message);
        }
    }

    /// <inheritdoc/>
    public override async Task<Proto.ListWebhookDeliveriesResponse> ListWebhookDeliveries(
        Proto.ListWebhookDeliveriesRequest request, ServerCallContext context)
    {
        var page = Redelivery.Check(request);
        _ = await FindAsync(request.Parent, context.CancellationToken);
        return await redelivery.ListAsync(page, context.CancellationToken);
    }

    /// <inheritdoc/>
    public override Task<Proto.WebhookDelivery> RedeliverWebhookDelivery(
        Proto.RedeliverWebhookDeliveryRequest request, ServerCallContext context) =>
        redelivery.AgainAsync(request, context.Method, context.CancellationToken);

    /// <inheritdoc/>
    public override async Task<Proto.Webhook> RedeliverWebhookDeliveries(
        Proto.RedeliverWebhookDeliveriesRequest request, ServerCallContext context)
    {
        var id = await redelivery.CheckAsync(request, context.CancellationToken);
        var verb = new Verb(id, "", "redeliver to");
        return await ChangeAsync(
            context, request, verb, "", row => row, (tx, row, ct) => redelivery.BeginAsync(tx, row, request, ct));
    }

    /// <inheritdoc/>
    public override Task WatchWebhooks(
        Proto.WatchWebhooksRequest request,
        IServerStreamWriter<Proto.WatchWebhooksResponse> responseStream,
        ServerCallContext context) => watch.StreamAsync(request, responseStream, context.CancellationToken);

    /// <inheritdoc/>
    public override async Task<Proto.WhyWebhookResponse> WhyWebhook(
        Proto.WhyWebhookRequest request, ServerCallContext context)
    {
        var (webhook, backlog) = await FindAsync(request.Name, context.CancellationToken);
        return new() { Chain = { webhook.Explain(backlog, deliveries.Now) } };
    }

    private static string IdOf(string name) => ResourceName.IdOf(name, Webhook.Collection);

    private static Proto.Webhook WithSecret(Proto.Webhook message, Webhook row)
    {
        message.Secret = row.Secret;
        return message;
    }

    /// <summary>The row that a checked request means.</summary>
    private Webhook Wanted(Proto.Webhook webhook) => new()
    {
        Id = ResourceId.New(),
        State = Enabled,
        DisplayName = webhook.DisplayName,
        Url = webhook.Url,
        Filter = WebhookMessages.FromProto(webhook.Filter),
        Headers = Sealed(webhook.Headers, new Dictionary<string, string>()),
        Secret = secrets.Seal(WebhookSecrets.New()),
    };

    private Webhook Changed(Webhook row, Proto.UpdateWebhookRequest request)
    {
        var problems = new FieldProblems();
        if (request.UpdateMask.Paths.Contains("headers"))
        {
            WebhookChecks.CheckMasks(request.Webhook, row.Headers.Keys, problems);
        }

        problems.ThrowIfAny();
        return request.UpdateMask.Paths.Aggregate(row, (changed, path) => path switch
        {
            "display_name" => changed with { DisplayName = request.Webhook.DisplayName },
            "url" => changed with { Url = request.Webhook.Url },
            "filter" => changed with { Filter = WebhookMessages.FromProto(request.Webhook.Filter) },
            _ => changed with { Headers = Sealed(request.Webhook.Headers, row.Headers) },
        });
    }

    private Dictionary<string, string> Sealed(
        IEnumerable<KeyValuePair<string, string>> headers, IReadOnlyDictionary<string, string> stored) =>
        headers.Select(header => (Name: header.Key.ToLowerInvariant(), header.Value)).ToDictionary(
            header => header.Name,
            header => header.Value == WebhookMessages.Masked ? stored[header.Name] : secrets.Seal(header.Value),
            StringComparer.Ordinal);

    private Webhook Rotated(Webhook row, string secret, TimeSpan overlap)
    {
        var now = deliveries.Now;
        var end = now + overlap;
        var old = row.OldSecrets.Prepend(new OldSecret(row.Secret, end))
            .Select(o => o.ValidUntil < end ? o : o with { ValidUntil = end })
            .Where(o => o.ValidUntil > now)
            .ToList();
        return old.Count <= OldSecretsMax
            ? row with { Secret = secret, OldSecrets = old }
            : throw Problem.FailedPrecondition(
                ErrorReason.SecretsTooMany,
                row.Name,
                $"Deliveries are signed with {OldSecretsMax} earlier secrets already; overlap 0 ends them.");
    }

    /// <summary>A verb on a webhook: checks, changes and, in the same transaction, whatever belongs to it.</summary>
    private async Task<Proto.Webhook> ChangeAsync(
        ServerCallContext context,
        IMessage request,
        Verb verb,
        string why,
        Func<Webhook, Webhook> change,
        Func<DatabaseTransaction, Webhook, CancellationToken, Task>? also,
        Func<Proto.Webhook, Webhook, Proto.Webhook>? complete = null)
    {
        var displayName = "";
        return await WriteAsync(context, request, () => displayName, async (tx, ct) =>
        {
            Webhook Checked(Webhook row)
            {
                ResourceName.CheckEtag(row.Name, verb.Etag, row.Etag());
                if (verb.Word != "delete")
                {
                    WebhookChecks.RefuseDeleted(row, verb.Word);
                }

                var after = change(row);
                displayName = after.DisplayName;
                return after;
            }

            var row = await store.ChangeAsync(tx, verb.Id, Checked, why, ct)
                ?? throw Problem.NotFound(Webhook.NameOf(verb.Id));
            if (also is not null)
            {
                await queue.LockAsync(tx, row.Id, null, ct);
                await also(tx, row, ct);
            }

            var message = row.ToProto(await DeliveryStore.BacklogAsync(tx, row.Id, ct));
            return complete is null ? message : complete(message, row);
        });
    }

    /// <summary>Writes once per request id. The stored answer has the secret encrypted, what is sent has it
    /// clear.</summary>
    private async Task<Proto.Webhook> WriteAsync(
        ServerCallContext context,
        IMessage request,
        Func<string> displayName,
        Func<DatabaseTransaction, CancellationToken, Task<Proto.Webhook>> write)
    {
        try
        {
            var answer = await requests.MutateAsync(context.Method, request, write, context.CancellationToken);
            answer.Secret = answer.Secret.Length == 0 ? "" : secrets.Open(answer.Secret);
            return answer;
        }
        catch (PostgresException clash) when (clash.ConstraintName == WebhookStore.DisplayNameIndex)
        {
            throw Problem.AlreadyExists("webhook.display_name", displayName());
        }
    }

    private async Task<(Webhook Webhook, WebhookBacklog Backlog)> FindAsync(string name, CancellationToken ct)
    {
        var id = IdOf(name);
        var webhook = await store.FindAsync(id, ct) ?? throw Problem.NotFound(name);
        return (webhook, (await deliveries.BacklogsAsync([id], ct))[id]);
    }

    /// <summary>What all changing requests have in common.</summary>
    private sealed record Verb(string Id, string Etag, string Word);
}
