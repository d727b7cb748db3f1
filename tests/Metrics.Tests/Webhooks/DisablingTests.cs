using Cloud.Protos.Supervision.V1;
using Cloud.Webhooks;
using Xunit;

namespace Cloud.Metrics.Tests.Webhooks;

public sealed class DisablingTests(WebhookWorld world) : IClassFixture<WebhookWorld>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_receiver_that_is_gone_is_disabled_with_the_reason_and_gets_what_it_missed_once_enabled()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        receiver.AnswerWith(410);
        var webhook = await world.CreateAsync(receiver, Ct);
        await world.HappenAsync(Ct, "installations/gone");

        var disabled = await world.UntilAsync(webhook.Name, w => w.State == "disabled", Ct);
        Assert.Equal("WEBHOOK_GONE", disabled.Progress.LastError.Code);
        Assert.Equal(Fault.Caller, disabled.Progress.LastError.Fault);
        Assert.Contains("410", (await world.WhyAsync(webhook.Name, Ct)).Summary, StringComparison.Ordinal);

        await world.HappenAsync(Ct, "installations/missed");
        receiver.AnswerWith(200);
        var enabled = await world.Webhooks.EnableWebhookAsync(new() { Name = webhook.Name }, cancellationToken: Ct);

        Assert.Equal("enabled", enabled.State);
        Assert.Null(enabled.Progress.LastError);
        var done = await world.RestingAsync(
            webhook.Name, d => d.Count == 2 && d.All(x => x.FinishTime is not null), Ct);
        Assert.All(done, d => Assert.Equal("succeeded", d.Status));
        Assert.Equal(["installations/gone", "installations/missed"], done.Select(d => d.Resource));
        await world.DeleteAsync(webhook);
    }

    [Fact]
    public async Task When_nothing_was_taken_for_a_day_the_webhook_is_disabled_and_nothing_is_lost()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        receiver.AnswerWith(500);
        var webhook = await world.CreateAsync(receiver, Ct);
        await world.HappenAsync(Ct, "installations/dead1", "installations/dead2", "installations/dead1");
        await world.RestingAsync(webhook.Name, d => d.Count(x => x.AttemptCount == 1) == 2, Ct);

        var tries = await UntilDisabledAsync(webhook.Name);

        // Soon at first, then hourly: about thirty tries in a day.
        Assert.InRange(tries, 25, 40);
        var disabled = await world.UntilAsync(webhook.Name, w => w.State == "disabled", Ct);
        Assert.Equal("WEBHOOK_FAILING", disabled.Progress.LastError.Code);
        Assert.Equal(3, disabled.DeliveryStatus.PendingCount);

        receiver.AnswerWith(200);
        await world.Webhooks.EnableWebhookAsync(new() { Name = webhook.Name }, cancellationToken: Ct);
        var done = await world.RestingAsync(webhook.Name, d => d.All(x => x.FinishTime is not null), Ct);
        Assert.All(done, d => Assert.Equal("succeeded", d.Status));
        Assert.True(done[0].Attempts.Count <= WebhookDelivery.LogMax);
        await world.DeleteAsync(webhook);
    }

    [Theory]
    [InlineData(500)]
    [InlineData(200)]
    public async Task When_the_receiver_goes_away_nothing_of_what_was_being_sent_is_given_up(int otherStatus)
    {
        const string first = "installations/first";
        await using var receiver = await Receiver.OpenAsync(Ct);
        var bothCame = new TaskCompletionSource();
        var oneIsRecorded = new TaskCompletionSource();
        receiver.Answer = async (received, context) =>
        {
            // The one that began later is recorded first where it fails, and last where it was still taken.
            var isFirst = received.Resource == first;
            var turn = isFirst == (otherStatus == 500) ? oneIsRecorded : bothCame;
            await turn.Task.WaitAsync(context.RequestAborted);
            context.Response.StatusCode = isFirst ? 500 : otherStatus;
        };
        var webhook = await world.CreateAsync(receiver, Ct);
        world.Clock.AutoAdvanceAmount = TimeSpan.FromMilliseconds(1);
        await world.HappenAsync(Ct, first, "installations/second");
        await receiver.ReceivedAsync(2, Ct);
        bothCame.SetResult();
        await world.UntilAsync(webhook.Name, w => w.DeliveryStatus.FailingSince is not null, Ct);
        oneIsRecorded.SetResult();
        var tried = await world.RestingAsync(webhook.Name, d => d.All(x => x.AttemptCount == 1), Ct);
        world.Clock.AutoAdvanceAmount = TimeSpan.Zero;
        var starts = tried.Select(d => d.Attempts[0].StartTime.ToDateTimeOffset()).ToList();
        Assert.True(starts[0] < starts[1]);

        receiver.AnswerWith(500);
        world.Clock.Advance(RetrySchedule.GiveUpAfter + TimeSpan.FromHours(1));
        await world.UntilAsync(webhook.Name, w => w.State == "disabled", Ct);

        var kept = await world.DeliveriesAsync(webhook.Name, Ct);
        Assert.Equal(["pending", otherStatus == 500 ? "pending" : "succeeded"], kept.Select(d => d.Status));
        await world.DeleteAsync(webhook);
    }

    [Fact]
    public async Task An_event_that_alone_fails_for_a_day_is_given_up_and_its_resource_goes_on()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        receiver.Answer = (received, context) =>
        {
            context.Response.StatusCode = received.Resource == "installations/poison" ? 500 : 200;
            return Task.CompletedTask;
        };
        var webhook = await world.CreateAsync(receiver, Ct);
        await world.HappenAsync(Ct, "installations/poison", "installations/poison");
        await world.RestingAsync(webhook.Name, d => d.Any(x => x.AttemptCount == 1), Ct);
        world.Clock.Advance(TimeSpan.FromSeconds(1));
        await world.HappenAsync(Ct, "installations/well");
        await world.RestingAsync(webhook.Name, d => d.Any(x => x.Status == "succeeded"), Ct);

        world.Clock.Advance(RetrySchedule.GiveUpAfter + TimeSpan.FromHours(1));

        var after = await world.RestingAsync(
            webhook.Name, d => d[0].Status == "failed" && d[1].AttemptCount == 1, Ct);
        Assert.Equal(["failed", "pending", "succeeded"], after.Select(d => d.Status));
        Assert.Equal(
            "enabled",
            (await world.Webhooks.GetWebhookAsync(new() { Name = webhook.Name }, cancellationToken: Ct)).State);
        await world.DeleteAsync(webhook);
    }

    [Fact]
    public async Task What_was_missed_can_be_skipped_when_enabling()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        receiver.AnswerWith(500);
        var webhook = await world.CreateAsync(receiver, Ct);
        await world.HappenAsync(Ct, "installations/skipped");
        await world.RestingAsync(webhook.Name, d => d is [{ AttemptCount: 1 }], Ct);
        await world.Webhooks.DisableWebhookAsync(new() { Name = webhook.Name }, cancellationToken: Ct);
        await world.HappenAsync(Ct, "installations/missed");
        receiver.AnswerWith(200);

        await world.Webhooks.EnableWebhookAsync(
            new() { Name = webhook.Name, SkipMissed = true }, cancellationToken: Ct);
        await world.HappenAsync(Ct, "installations/new");

        var after = await world.RestingAsync(webhook.Name, d => d.Any(x => x.Status == "succeeded"), Ct);
        Assert.Equal(["installations/skipped", "installations/new"], after.Select(d => d.Resource));
        Assert.Equal(["cancelled", "succeeded"], after.Select(d => d.Status));
        await world.DeleteAsync(webhook);
    }

    /// <summary>Turns the clock from try to try.</summary>
    private async Task<int> UntilDisabledAsync(string webhook)
    {
        for (var tries = 1; ; tries++)
        {
            var deliveries = await world.DeliveriesAsync(webhook, Ct);
            world.Clock.Advance(deliveries.Max(d => d.NextAttemptTime?.ToDateTimeOffset() ?? default)
                - world.Clock.GetUtcNow());
            var before = tries;
            await world.RestingAsync(
                webhook, d => d.Where(x => x.NextAttemptTime is not null).All(x => x.AttemptCount > before), Ct);
            var now = await world.Webhooks.GetWebhookAsync(new() { Name = webhook }, cancellationToken: Ct);
            if (now.State != "enabled")
            {
                return tries + 1;
            }
        }
    }
}
