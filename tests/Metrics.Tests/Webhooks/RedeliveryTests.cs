using Cloud.Webhooks;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Xunit;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Metrics.Tests.Webhooks;

public sealed class RedeliveryTests(WebhookWorld world) : IClassFixture<WebhookWorld>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task One_delivery_comes_again_with_the_id_it_had()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        var webhook = await world.CreateAsync(receiver, Ct);
        await world.HappenAsync(Ct, "installations/again");
        var first = (await DoneAsync(webhook, 1))[0];
        var request = new Proto.RedeliverWebhookDeliveryRequest { Name = first.Name, RequestId = "again" };

        var asked = await world.Webhooks.RedeliverWebhookDeliveryAsync(request, cancellationToken: Ct);
        var repeated = await world.Webhooks.RedeliverWebhookDeliveryAsync(request, cancellationToken: Ct);

        Assert.Equal("pending", asked.Status);
        Assert.Equal(asked, repeated);
        var got = await receiver.ReceivedAsync(2, Ct);
        var done = (await DoneAsync(webhook, 1))[0];
        Assert.Single(got.Select(r => r.Id).Distinct());
        Assert.Equal(2, done.Attempts.Count);
        Assert.Equal(1, done.AttemptCount);
        await world.DeleteAsync(webhook);
    }

    [Fact]
    public async Task One_that_waits_for_its_next_try_has_it_at_once()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        receiver.AnswerWith(500);
        var webhook = await world.CreateAsync(receiver, Ct);
        await world.HappenAsync(Ct, "installations/now");
        var waiting = (await world.RestingAsync(webhook.Name, d => d is [{ AttemptCount: 1 }], Ct))[0];
        receiver.AnswerWith(200);

        await world.Webhooks.RedeliverWebhookDeliveryAsync(new() { Name = waiting.Name }, cancellationToken: Ct);

        Assert.Equal(2, (await DoneAsync(webhook, 1))[0].AttemptCount);
        await world.DeleteAsync(webhook);
    }

    [Fact]
    public async Task One_that_is_asked_for_by_hand_ends_the_pause_that_the_receiver_asked_for()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        receiver.Answer = (_, context) =>
        {
            context.Response.StatusCode = 503;
            context.Response.Headers.RetryAfter = "3600";
            return Task.CompletedTask;
        };
        var webhook = await world.CreateAsync(receiver, Ct);
        await world.HappenAsync(Ct, "installations/paused");
        var waiting = (await world.RestingAsync(webhook.Name, d => d is [{ AttemptCount: 1 }], Ct))[0];
        receiver.AnswerWith(200);
        var before = world.Clock.GetUtcNow();

        var asked = await world.Webhooks.RedeliverWebhookDeliveryAsync(
            new() { Name = waiting.Name }, cancellationToken: Ct);

        Assert.True(asked.NextAttemptTime.ToDateTimeOffset() <= world.Clock.GetUtcNow());
        Assert.Equal(2, (await DoneAsync(webhook, 1))[0].AttemptCount);
        Assert.InRange(world.Clock.GetUtcNow() - before, TimeSpan.Zero, TimeSpan.FromMinutes(30));
        await world.DeleteAsync(webhook);
    }

    [Fact]
    public async Task A_redelivery_to_a_disabled_webhook_shows_as_under_way_and_says_what_it_waits_for()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        var webhook = await world.CreateAsync(receiver, Ct);
        await world.HappenAsync(Ct, "installations/rested");
        await DoneAsync(webhook, 1);
        await world.Webhooks.DisableWebhookAsync(new() { Name = webhook.Name }, cancellationToken: Ct);
        var request = new Proto.RedeliverWebhookDeliveriesRequest { Name = webhook.Name };

        var begun = await world.Webhooks.RedeliverWebhookDeliveriesAsync(request, cancellationToken: Ct);
        var refusal = await Refusal.OfAsync(
            world.Webhooks.RedeliverWebhookDeliveriesAsync(request, cancellationToken: Ct));

        Assert.Equal(1, begun.DeliveryStatus.RedeliverySequence);
        Assert.Equal("REDELIVERY_UNDER_WAY", refusal.Reason);
        Assert.Contains("enable it first", refusal.Message, StringComparison.Ordinal);
        await world.Webhooks.EnableWebhookAsync(new() { Name = webhook.Name }, cancellationToken: Ct);
        await world.UntilAsync(webhook.Name, w => w.DeliveryStatus.RedeliverySequence == 0, Ct);
        await world.DeleteAsync(webhook);
    }

    [Fact]
    public async Task A_part_of_the_feed_comes_again_in_order_with_what_was_before_the_webhook()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        var before = await world.HappenAsync(Ct, "installations/old", "clusters/not", "installations/old");
        var webhook = await world.CreateAsync(receiver, Ct);
        var after = await world.HappenAsync(Ct, "installations/old");
        await DoneAsync(webhook, 1);

        await world.Webhooks.RedeliverWebhookDeliveriesAsync(
            new() { Name = webhook.Name, AfterSequence = before[0] - 1, ThroughSequence = before[1] },
            cancellationToken: Ct);
        await receiver.ReceivedAsync(2, Ct);
        await world.Webhooks.RedeliverWebhookDeliveriesAsync(
            new() { Name = webhook.Name, AfterSequence = before[0] }, cancellationToken: Ct);
        await receiver.ReceivedAsync(4, Ct);

        await DoneAsync(webhook, 3);
        Assert.Equal([after[0], before[0], before[2], after[0]], receiver.All.Select(r => r.Sequence));
        var status = (await world.UntilAsync(
            webhook.Name, w => w.DeliveryStatus.RedeliverySequence == 0, Ct)).DeliveryStatus;
        Assert.Equal(0, status.PendingCount);
        await world.DeleteAsync(webhook);
    }

    [Fact]
    public async Task Of_a_part_of_the_feed_the_failed_ones_alone_can_come_again()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        var webhook = await world.CreateAsync(receiver, Ct);
        var sequences = await world.HappenAsync(Ct, "installations/fine", "installations/broken");
        await DoneAsync(webhook, 2);
        await world.ExecuteAsync(
            "UPDATE webhook_deliveries SET status = 'failed' WHERE resource = 'installations/broken'", Ct);

        await world.Webhooks.RedeliverWebhookDeliveriesAsync(
            new() { Name = webhook.Name, AfterSequence = sequences[0] - 1, OnlyFailed = true }, cancellationToken: Ct);

        var got = await receiver.ReceivedAsync(3, Ct);
        var done = await DoneAsync(webhook, 2);
        Assert.Equal("installations/broken", got[2].Resource);
        Assert.Equal([1, 2], done.Select(d => d.Attempts.Count));
        await world.DeleteAsync(webhook);
    }

    [Fact]
    public async Task What_cannot_come_again_is_refused_with_the_reason()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        var webhook = await world.CreateAsync(receiver, Ct);
        await world.HappenAsync(Ct, "installations/kept");
        var delivery = (await DoneAsync(webhook, 1))[0];
        var ping = await world.Webhooks.TestWebhookAsync(new() { Name = webhook.Name }, cancellationToken: Ct);

        Assert.Equal("PING_NOT_REDELIVERED", (await RefusedAsync(ping.Name)).Reason);
        Assert.Equal(StatusCode.NotFound, (await RefusedAsync($"{webhook.Name}/deliveries/1000000")).Code);
        Assert.Equal(["name"], (await RefusedAsync("webhooks/x/deliveries/.")).Fields);
        var range = await Refusal.OfAsync(world.Webhooks.RedeliverWebhookDeliveriesAsync(
            new() { Name = "nonsense", AfterSequence = -1, ThroughSequence = long.MaxValue }, cancellationToken: Ct));
        Assert.Equal(["name", "after_sequence", "through_sequence"], range.Fields);

        await world.ExecuteAsync(
            """
            DELETE FROM events WHERE resource = 'installations/kept'
            """,
            Ct);
        Assert.Equal("EVENT_NOT_KEPT", (await RefusedAsync(delivery.Name)).Reason);
        await world.DeleteAsync(webhook);
        Assert.Equal("EVENT_NOT_KEPT", (await RefusedAsync(delivery.Name)).Reason);

        async Task<Refusal> RefusedAsync(string name) => await Refusal.OfAsync(
            world.Webhooks.RedeliverWebhookDeliveryAsync(new() { Name = name }, cancellationToken: Ct));
    }

    [Fact]
    public async Task The_log_is_cut_by_age_and_by_count_and_what_waits_is_never_cut()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        receiver.Answer = (received, context) =>
        {
            context.Response.StatusCode = received.Resource == "installations/waits" ? 500 : 200;
            return Task.CompletedTask;
        };
        var webhook = await world.CreateAsync(receiver, Ct);
        await world.HappenAsync(
            Ct, ["installations/waits", .. Enumerable.Range(0, 9).Select(n => $"installations/p{n}")]);
        await world.RestingAsync(
            webhook.Name, d => d.Count(x => x.Status == "succeeded") == 9 && d[0].AttemptCount == 1, Ct);
        await world.Webhooks.DisableWebhookAsync(new() { Name = webhook.Name }, cancellationToken: Ct);

        await using var strict = world.Start(
            [new("Webhooks:LogDeliveries", "5"), new("Webhooks:LogDays", "1")]);
        var upkeep = strict.Services.GetServices<IHostedService>().OfType<DeliveryUpkeep>().Single();
        await upkeep.PruneAsync(Ct);
        var byCount = await world.DeliveriesAsync(webhook.Name, Ct);
        Assert.Equal(
            ["installations/waits", .. Enumerable.Range(4, 5).Select(n => $"installations/p{n}")],
            byCount.Select(d => d.Resource));

        world.Clock.Advance(TimeSpan.FromDays(2));
        await upkeep.PruneAsync(Ct);
        Assert.Equal("installations/waits", (await world.DeliveriesAsync(webhook.Name, Ct)).Single().Resource);
        await world.DeleteAsync(webhook);
    }

    private Task<IReadOnlyList<Proto.WebhookDelivery>> DoneAsync(Proto.Webhook webhook, int count) =>
        world.RestingAsync(webhook.Name, d => d.Count == count && d.All(x => x.FinishTime is not null), Ct);
}
