using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Xunit;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Metrics.Tests.Webhooks;

public sealed class DeliveryTests(WebhookWorld world) : IClassFixture<WebhookWorld>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_event_is_posted_in_the_form_of_standard_webhooks_with_a_signature_that_holds()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        var webhook = await world.CreateAsync(receiver, Ct, w => w.Headers.Add("Authorization", "Bearer sesame"));

        var sequence = (await world.HappenAsync(Ct, "installations/form"))[0];

        var got = (await receiver.ReceivedAsync(1, Ct))[0];
        Assert.Equal(("POST", "/hook"), (got.Method, got.Path));
        Assert.Equal("application/json", got.Headers["content-type"]);
        Assert.Equal("Bearer sesame", got.Headers["authorization"]);
        Assert.True(SignatureCheck.Holds(got, webhook.Secret));
        Assert.False(SignatureCheck.Holds(got with { Body = [.. got.Body, 0x20] }, webhook.Secret));
        Assert.DoesNotContain('.', got.Id);
        Assert.InRange(world.Clock.GetUtcNow() - got.SentAt, TimeSpan.Zero, TimeSpan.FromMinutes(1));
        Assert.DoesNotContain(got.Headers.Keys, name => name is "traceparent" or "cookie");

        using var body = JsonDocument.Parse(got.Body);
        var data = body.RootElement.GetProperty("data");
        Assert.Equal("installation.state_changed", body.RootElement.GetProperty("type").GetString());
        Assert.EndsWith("Z", body.RootElement.GetProperty("timestamp").GetString(), StringComparison.Ordinal);
        Assert.Equal("installations/form", data.GetProperty("resource").GetString());
        Assert.Equal("update-requested", data.GetProperty("oldState").GetString());
        Assert.Equal("stable", data.GetProperty("newState").GetString());
        Assert.Equal(sequence.ToString(CultureInfo.InvariantCulture), data.GetProperty("sequence").GetString());
        await world.DeleteAsync(webhook);
    }

    [Fact]
    public async Task Only_what_the_filter_lets_through_is_posted_and_never_an_event_about_the_webhook_itself()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        await using var everything = await Receiver.OpenAsync(Ct);
        var webhook = await world.CreateAsync(receiver, Ct, w => w.Filter = new()
        {
            ResourceTypes = { "installation" },
            Types_ = { "deleted" },
            ResourcePrefixes = { "installations/f", "installations/g" },
        });
        var all = await world.CreateAsync(everything, Ct, w => w.Filter = null);

        await world.HappenAsync(Ct, "installations/f1", "clusters/f");
        await world.HappenAsync(Ct, [.. new[] { "f2", "other", "g" }.Select(id => $"deleted:installations/{id}")]);

        var got = await receiver.ReceivedAsync(2, Ct);
        await world.RestingAsync(webhook.Name, d => d.Count == 2 && d.All(IsDone), Ct);
        Assert.Equal(["installations/f2", "installations/g"], got.Select(r => r.Resource).Order());
        Assert.Equal(2, receiver.All.Count);

        // The other webhook saw this one being made, as everybody does, but not itself.
        var rest = await world.RestingAsync(all.Name, d => d.Count(IsDone) >= 5, Ct);
        Assert.DoesNotContain(rest, d => d.Resource == all.Name);
        await world.DeleteAsync(webhook, all);
    }

    [Fact]
    public async Task What_fails_is_tried_again_with_the_same_id_until_it_is_taken_and_not_before_the_receiver_asked()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        receiver.Answer = async (_, context) =>
        {
            context.Response.StatusCode = 503;
            context.Response.Headers.RetryAfter = "900";
            await context.Response.WriteAsync("busy\0", Ct);
        };
        var webhook = await world.CreateAsync(receiver, Ct);
        await world.HappenAsync(Ct, "installations/again");

        var failed = (await world.RestingAsync(webhook.Name, d => d is [{ AttemptCount: 1 }], Ct))[0];
        Assert.Equal("pending", failed.Status);
        Assert.InRange(Wait(failed), TimeSpan.FromMinutes(14), TimeSpan.FromMinutes(15));
        Assert.Equal((503, "HTTP_STATUS"), (failed.Attempts[0].HttpStatus, failed.Attempts[0].ErrorCode));
        Assert.Equal("busy\uFFFD", failed.Attempts[0].Response);

        // While the receiver is left alone, nothing else is sent to it either.
        await world.HappenAsync(Ct, "installations/later");
        await world.RestingAsync(webhook.Name, d => d.Count == 2, Ct);
        Assert.Single(receiver.All);
        var why = await world.WhyAsync(webhook.Name, Ct);
        Assert.Contains("asked to be left alone", why.Summary, StringComparison.Ordinal);

        receiver.AnswerWith(204);
        world.Clock.Advance(TimeSpan.FromMinutes(15));
        var done = await world.RestingAsync(webhook.Name, d => d.All(IsDone), Ct);
        Assert.All(done, d => Assert.Equal("succeeded", d.Status));
        Assert.Equal([503, 204], done[0].Attempts.Select(a => a.HttpStatus));
        var tries = receiver.All.Where(r => r.Resource == "installations/again").ToList();
        Assert.Single(tries.Select(r => r.Id).Distinct());
        Assert.Equal(tries[0].Body, tries[1].Body);
        Assert.True(tries[1].SentAt - tries[0].SentAt >= TimeSpan.FromMinutes(15));
        Assert.All(tries, r => Assert.True(SignatureCheck.Holds(r, webhook.Secret)));
        await world.DeleteAsync(webhook);
    }

    [Fact]
    public async Task An_event_that_fails_holds_later_ones_of_its_own_resource_only()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        receiver.Answer = (received, context) =>
        {
            context.Response.StatusCode = received.Resource == "installations/stuck" ? 500 : 200;
            return Task.CompletedTask;
        };
        var webhook = await world.CreateAsync(receiver, Ct);
        await world.HappenAsync(
            Ct, "installations/stuck", "installations/well", "installations/stuck", "installations/well");

        var waiting = await world.RestingAsync(webhook.Name, d => d.Count(IsDone) == 2 && d[0].AttemptCount == 1, Ct);
        Assert.Equal(["pending", "succeeded", "pending", "succeeded"], waiting.Select(d => d.Status));
        Assert.Equal(0, waiting[2].AttemptCount);
        Assert.Null(waiting[2].NextAttemptTime);

        receiver.AnswerWith(200);
        world.Clock.Advance(Wait(waiting[0]));
        await world.RestingAsync(webhook.Name, d => d.All(IsDone), Ct);
        foreach (var resource in new[] { "installations/stuck", "installations/well" })
        {
            var order = receiver.All.Where(r => r.Resource == resource).Select(r => r.Sequence).ToList();
            Assert.Equal(order.Order(), order);
        }

        await world.DeleteAsync(webhook);
    }

    [Fact]
    public async Task A_receiver_that_does_not_answer_delays_no_other()
    {
        var release = new TaskCompletionSource();
        await using var dead = await Receiver.OpenAsync(Ct);
        dead.Answer = (_, context) => release.Task.WaitAsync(context.RequestAborted);
        await using var well = await Receiver.OpenAsync(Ct);
        var stuck = await world.CreateAsync(dead, Ct);
        var other = await world.CreateAsync(well, Ct);

        // More than are sent to one receiver at once.
        await world.HappenAsync(Ct, Enumerable.Range(0, 40).Select(n => $"installations/bulk{n}"));
        await dead.ReceivedAsync(16, Ct);
        var got = await well.ReceivedAsync(40, Ct);

        Assert.Equal(40, got.Select(r => r.Id).Distinct().Count());
        Assert.Equal(16, dead.All.Count);
        world.Clock.Advance(TimeSpan.FromSeconds(15));
        var timedOut = await world.UntilAsync(stuck.Name, w => w.DeliveryStatus.FailingSince is not null, Ct);
        Assert.Equal(40, timedOut.DeliveryStatus.PendingCount);
        release.SetResult();
        await world.DeleteAsync(stuck, other);
        Assert.Contains(
            await world.DeliveriesAsync(stuck.Name, Ct),
            d => d.Attempts is [{ ErrorCode: "RECEIVER_TIMEOUT", HttpStatus: 0 }]);
    }

    [Theory]
    [InlineData("UPDATE webhook_progress SET sequence = {0} WHERE webhook_id = '{1}'")]
    [InlineData("UPDATE webhook_progress SET replay_after = {0}, replay_through = {0} + 1 WHERE webhook_id = '{1}'")]
    public async Task A_webhook_that_nothing_wakes_is_left_alone_and_a_lost_nudge_is_caught_up(string unheard)
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        var sequence = (await world.HappenAsync(Ct, "installations/unheard"))[0];
        var webhook = await world.CreateAsync(receiver, Ct);
        await world.UntilAsync(
            webhook.Name,
            w => w.Progress.NextAttemptTime.ToDateTimeOffset() > world.Clock.GetUtcNow().AddMinutes(30),
            Ct);

        var id = webhook.Name["webhooks/".Length..];
        await world.ExecuteAsync(string.Format(CultureInfo.InvariantCulture, unheard, sequence - 1, id), Ct);
        world.Clock.Advance(TimeSpan.FromMinutes(2));

        var got = await receiver.ReceivedAsync(1, Ct);
        Assert.Equal(sequence, got[0].Sequence);
        await world.RestingAsync(webhook.Name, d => d.All(IsDone), Ct);
        await world.DeleteAsync(webhook);
    }

    [Fact]
    public async Task What_was_queued_before_a_restart_is_delivered_after_it()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        receiver.AnswerWith(500);
        var webhook = await world.CreateAsync(receiver, Ct);
        await world.HappenAsync(Ct, "installations/restart");
        var failed = await world.RestingAsync(webhook.Name, d => d is [{ AttemptCount: 1 }], Ct);

        receiver.AnswerWith(200);
        await world.RestartAsync();
        world.Clock.Advance(Wait(failed[0]));

        var done = await world.RestingAsync(webhook.Name, d => d.All(IsDone), Ct);
        Assert.Equal(2, done[0].Attempts.Count);
        await world.DeleteAsync(webhook);
    }

    private static bool IsDone(Proto.WebhookDelivery delivery) => delivery.FinishTime is not null;

    private TimeSpan Wait(Proto.WebhookDelivery delivery) =>
        delivery.NextAttemptTime.ToDateTimeOffset() - world.Clock.GetUtcNow();
}
