using Cloud.Protos.Supervision.V1;
using Grpc.Core;
using Xunit;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Metrics.Tests.Webhooks;

public sealed class RequestTests(WebhookWorld world) : IClassFixture<WebhookWorld>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Everything_that_is_wrong_with_a_webhook_is_told_at_once()
    {
        var wrong = new Proto.Webhook
        {
            DisplayName = " ",
            Url = "gopher://example.com",
            Filter = new()
            {
                ResourceTypes = { "Installation" },
                Types_ = { "exploded" },
                ResourcePrefixes = { "installations" },
                States = { "Not A State" },
                Installation = "clusters/x",
            },
        };
        foreach (var (name, value) in new[]
                 {
                     ("webhook-id", "mine"), ("Host", "elsewhere"), ("Content-Length", "1"),
                     ("Proxy-Authorization", "x"), ("bad name", "x"), ("x-injected", "a\r\nb: c"),
                     ("x-masked", "********"), ("x-empty", ""),
                 })
        {
            wrong.Headers.Add(name, value);
        }

        var refusal = await Refusal.OfAsync(
            world.Webhooks.CreateWebhookAsync(new() { Webhook = wrong }, cancellationToken: Ct));

        Assert.Equal(StatusCode.InvalidArgument, refusal.Code);
        Assert.Equal(
            new[]
            {
                "webhook.display_name", "webhook.url", "webhook.filter.resource_types[0]", "webhook.filter.types[0]",
                "webhook.filter.resource_prefixes[0]", "webhook.filter.states[0]", "webhook.filter.installation",
                "webhook.headers[webhook-id]", "webhook.headers[Host]", "webhook.headers[Content-Length]",
                "webhook.headers[Proxy-Authorization]", "webhook.headers[bad name]", "webhook.headers[x-injected]",
                "webhook.headers[x-masked]", "webhook.headers[x-empty]",
            }.Order(),
            refusal.Fields.Order());
    }

    [Fact]
    public async Task An_update_takes_what_its_mask_names_and_keeps_masked_values()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        var webhook = await world.CreateAsync(receiver, Ct, w => w.Headers.Add("x-kept", "secret-one"));

        webhook.Url = "http://example.com/not-named-by-the-mask";
        webhook.DisplayName = "renamed";
        webhook.Headers["x-new"] = "two";
        var updated = await world.Webhooks.UpdateWebhookAsync(
            new() { Webhook = webhook, UpdateMask = new() { Paths = { "display_name", "headers" } } },
            cancellationToken: Ct);

        Assert.Equal(("renamed", receiver.Url), (updated.DisplayName, updated.Url));
        Assert.Equal(["x-kept", "x-new"], updated.Headers.Keys.Order());
        Assert.All(updated.Headers.Values, value => Assert.Equal("********", value));
        await world.HappenAsync(Ct, "installations/updated");
        var got = (await receiver.ReceivedAsync(1, Ct))[0];
        Assert.Equal(("secret-one", "two"), (got.Headers["x-kept"], got.Headers["x-new"]));

        var stale = await Refusal.OfAsync(world.Webhooks.UpdateWebhookAsync(
            new() { Webhook = webhook, UpdateMask = new() { Paths = { "display_name" } } }, cancellationToken: Ct));
        Assert.Equal((StatusCode.Aborted, "ETAG_MISMATCH"), (stale.Code, stale.Reason));
        var unknown = await Refusal.OfAsync(world.Webhooks.UpdateWebhookAsync(
            new() { Webhook = updated, UpdateMask = new() { Paths = { "secret", "state" } } }, cancellationToken: Ct));
        Assert.Equal(["update_mask", "update_mask"], unknown.Fields);
        await world.DeleteAsync(webhook);
    }

    [Fact]
    public async Task Names_are_unique_among_live_webhooks_and_free_again_after_deletion()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        var first = await world.CreateAsync(receiver, Ct, w => w.DisplayName = "Unique");
        var second = await world.CreateAsync(receiver, Ct);
        var request = new Proto.CreateWebhookRequest
        {
            Webhook = new() { DisplayName = "unique", Url = receiver.Url }, ValidateOnly = true,
        };

        Assert.Equal("VALUE_TAKEN", (await Refusal.OfAsync(
            world.Webhooks.CreateWebhookAsync(request, cancellationToken: Ct))).Reason);
        request.ValidateOnly = false;
        Assert.Equal(StatusCode.AlreadyExists, (await Refusal.OfAsync(
            world.Webhooks.CreateWebhookAsync(request, cancellationToken: Ct))).Code);
        second.DisplayName = "UNIQUE";
        var clash = await Refusal.OfAsync(world.Webhooks.UpdateWebhookAsync(
            new() { Webhook = second, UpdateMask = new() { Paths = { "display_name" } } }, cancellationToken: Ct));
        Assert.Equal(StatusCode.AlreadyExists, clash.Code);

        await world.DeleteAsync(first);
        Assert.Equal("unique", (await world.Webhooks.UpdateWebhookAsync(
            new()
            {
                Webhook = new() { Name = second.Name, DisplayName = "unique" },
                UpdateMask = new() { Paths = { "display_name" } },
            },
            cancellationToken: Ct)).DisplayName);
        await world.DeleteAsync(second);
    }

    [Fact]
    public async Task A_deleted_webhook_is_kept_for_the_record_without_secrets_and_can_do_nothing()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        receiver.AnswerWith(500);
        var webhook = await world.CreateAsync(receiver, Ct, w => w.Headers.Add("x-token", "x"));
        await world.HappenAsync(Ct, "installations/cancelled");
        await world.RestingAsync(webhook.Name, d => d is [{ AttemptCount: 1 }], Ct);

        var request = new Proto.DeleteWebhookRequest { Name = webhook.Name, RequestId = "delete-it" };
        var deleted = await world.Webhooks.DeleteWebhookAsync(request, cancellationToken: Ct);
        Assert.Equal(deleted, await world.Webhooks.DeleteWebhookAsync(request, cancellationToken: Ct));

        Assert.Equal("deleted", deleted.State);
        Assert.NotNull(deleted.DeleteTime);
        Assert.Empty(deleted.Headers);
        Assert.Equal("cancelled", (await world.DeliveriesAsync(webhook.Name, Ct)).Single().Status);
        foreach (var refused in new Func<Task>[]
                 {
                     async () => await world.Webhooks.EnableWebhookAsync(new() { Name = webhook.Name }),
                     async () => await world.Webhooks.DisableWebhookAsync(new() { Name = webhook.Name }),
                     async () => await world.Webhooks.TestWebhookAsync(new() { Name = webhook.Name }),
                     async () => await world.Webhooks.RotateWebhookSecretAsync(new() { Name = webhook.Name }),
                     async () => await world.Webhooks.RedeliverWebhookDeliveriesAsync(new() { Name = webhook.Name }),
                 })
        {
            Assert.Equal("STATE_WRONG", (await Refusal.OfAsync(refused())).Reason);
        }

        var listed = await world.Webhooks.ListWebhooksAsync(new(), cancellationToken: Ct);
        Assert.DoesNotContain(listed.Webhooks, w => w.Name == webhook.Name);
        listed = await world.Webhooks.ListWebhooksAsync(new() { ShowDeleted = true }, cancellationToken: Ct);
        Assert.Contains(listed.Webhooks, w => w.Name == webhook.Name);
    }

    [Fact]
    public async Task A_ping_is_sent_once_per_request_in_any_state_and_stands_in_the_log()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        var webhook = await world.CreateAsync(receiver, Ct);
        await world.Webhooks.DisableWebhookAsync(new() { Name = webhook.Name }, cancellationToken: Ct);
        var request = new Proto.TestWebhookRequest { Name = webhook.Name, RequestId = "ping-once" };

        var ping = await world.Webhooks.TestWebhookAsync(request, cancellationToken: Ct);
        var again = await world.Webhooks.TestWebhookAsync(request, cancellationToken: Ct);

        Assert.Equal(("succeeded", "ping", 200), (ping.Status, ping.EventType, ping.Attempts[0].HttpStatus));
        Assert.Equal(ping, again);
        var got = Assert.Single(receiver.All);
        Assert.Equal(ping.MessageId, got.Id);
        Assert.True(SignatureCheck.Holds(got, webhook.Secret));
        Assert.Equal(ping, (await world.DeliveriesAsync(webhook.Name, Ct)).Single());
        await world.DeleteAsync(webhook);
    }

    [Fact]
    public async Task Webhooks_and_deliveries_are_listed_in_pages_whose_tokens_hold_for_their_filter_only()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        var made = new List<Proto.Webhook>();
        for (var n = 0; n < 3; n++)
        {
            made.Add(await world.CreateAsync(receiver, Ct));
            world.Clock.Advance(TimeSpan.FromMilliseconds(1));
        }

        await world.HappenAsync(Ct, "installations/l1", "installations/l2", "installations/l3");
        await world.RestingAsync(made[0].Name, d => d.Count == 3 && d.All(x => x.FinishTime is not null), Ct);

        var page = await world.Webhooks.ListWebhooksAsync(new() { PageSize = 2 }, cancellationToken: Ct);
        var rest = await world.Webhooks.ListWebhooksAsync(
            new() { PageSize = 1000, PageToken = page.NextPageToken }, cancellationToken: Ct);
        Assert.Equal(made.Select(w => w.Name), page.Webhooks.Concat(rest.Webhooks).Select(w => w.Name)
            .Where(name => made.Any(w => w.Name == name)));
        var log = await world.Webhooks.ListWebhookDeliveriesAsync(
            new() { Parent = made[0].Name, PageSize = 2 }, cancellationToken: Ct);
        var older = await world.Webhooks.ListWebhookDeliveriesAsync(
            new() { Parent = made[0].Name, PageSize = 2, PageToken = log.NextPageToken }, cancellationToken: Ct);
        Assert.Equal(
            ["installations/l3", "installations/l2", "installations/l1"],
            log.Deliveries.Concat(older.Deliveries).Select(d => d.Resource));
        Assert.Equal("", older.NextPageToken);

        var other = await Refusal.OfAsync(world.Webhooks.ListWebhookDeliveriesAsync(
            new() { Parent = made[1].Name, PageToken = log.NextPageToken, Statuses = { "lost" } },
            cancellationToken: Ct));
        Assert.Equal(["statuses", "page_token"], other.Fields);
        await world.DeleteAsync(made);
    }

    [Fact]
    public async Task A_watch_tells_changes_of_webhooks_and_not_their_deliveries()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        using var watch = world.Webhooks.WatchWebhooks(new(), cancellationToken: Ct);
        while (await watch.ResponseStream.MoveNext(Ct)
               && watch.ResponseStream.Current.Kind != WatchKind.SnapshotEnd)
        {
            // The snapshot is of no interest here.
        }

        var webhook = await world.CreateAsync(receiver, Ct);
        await world.HappenAsync(Ct, "installations/watched");
        await receiver.ReceivedAsync(1, Ct);
        await world.Webhooks.DisableWebhookAsync(new() { Name = webhook.Name }, cancellationToken: Ct);

        var changes = new List<(string Before, string After)>();
        while (changes.Count < 2 && await watch.ResponseStream.MoveNext(Ct))
        {
            // The end of another test's webhook may come now as well.
            if (watch.ResponseStream.Current is { Kind: WatchKind.Change, Webhook: { } changed } message
                && changed.Name == webhook.Name)
            {
                Assert.Equal("", changed.Secret);
                changes.Add((message.PreviousState, changed.State));
            }
        }

        Assert.Equal([("", "enabled"), ("enabled", "disabled")], changes);
        await world.DeleteAsync(webhook);
    }
}
