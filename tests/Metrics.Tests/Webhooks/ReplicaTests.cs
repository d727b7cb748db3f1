using Xunit;

namespace Cloud.Metrics.Tests.Webhooks;

public sealed class ReplicaTests(WebhookWorld world) : IClassFixture<WebhookWorld>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Several_replicas_deliver_each_event_once_and_keep_the_order_of_each_resource()
    {
        const int resources = 20, each = 5;
        await using var receiver = await Receiver.OpenAsync(Ct);
        await using var second = world.Start();
        await using var third = world.Start();
        _ = (second.Services, third.Services);
        var webhook = await world.CreateAsync(receiver, Ct);

        for (var n = 0; n < each; n++)
        {
            await world.HappenAsync(Ct, Enumerable.Range(0, resources).Select(r => $"installations/replica{r}"));
        }

        await world.RestingAsync(
            webhook.Name, d => d.Count == resources * each && d.All(x => x.Status == "succeeded"), Ct);
        Assert.Equal(resources * each, receiver.All.Count);
        Assert.Equal(resources * each, receiver.All.Select(r => r.Id).Distinct().Count());
        Assert.All(receiver.All.GroupBy(r => r.Resource), one =>
            Assert.Equal(one.Select(r => r.Sequence).Order(), one.Select(r => r.Sequence)));
        await world.DeleteAsync(webhook);
    }

    [Fact]
    public async Task A_replica_that_stops_hands_over_at_once_and_repeats_only_what_was_under_way()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        var release = new TaskCompletionSource();
        receiver.Answer = (received, context) => received.Resource == "installations/slow"
            ? release.Task.WaitAsync(context.RequestAborted)
            : Task.CompletedTask;
        var second = world.Start();
        _ = second.Services;
        var webhook = await world.CreateAsync(receiver, Ct);
        await world.HappenAsync(Ct, "installations/quick", "installations/slow");
        await world.UntilAsync(webhook.Name, w => w.DeliveryStatus.LastSuccessTime is not null, Ct);
        await receiver.ReceivedAsync(2, Ct);

        // Both are stopped one after the other: whichever was delivering, the next one goes on.
        await world.RestartAsync();
        await second.DisposeAsync();
        release.SetResult();

        var done = await world.RestingAsync(webhook.Name, d => d.All(x => x.Status == "succeeded"), Ct);
        Assert.Equal(2, done.Count);
        Assert.Single(receiver.All, r => r.Resource == "installations/quick");
        Assert.Single(receiver.All.Where(r => r.Resource == "installations/slow").Select(r => r.Id).Distinct());
        await world.DeleteAsync(webhook);
    }
}
