using Cloud.Protos.Metrics.V1;
using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Xunit;

namespace Cloud.Metrics.Tests.Webhooks;

public sealed class ReplicaTests(WebhookWorld world, ITestOutputHelper output) : IClassFixture<WebhookWorld>
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

    [Fact]
    public async Task Whatever_place_the_service_crashes_at_every_event_arrives_in_order_and_repeats_have_the_same_id()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);

        var places = await CrashAnywhere.RunAsync((faults, ct) => DeliverAsync(receiver, faults, ct), Ct);

        output.WriteLine($"Crashed at {places.Count} places: {string.Join(", ", places.Distinct())}");
        Assert.Contains("save.before", places);
        Assert.Contains("transaction.before-commit", places);
        Assert.Contains("transaction.after-commit", places);
    }

    private async Task DeliverAsync(Receiver receiver, FaultPoints faults, CancellationToken ct)
    {
        var journey = ResourceId.New();
        var webhook = await world.CreateAsync(receiver, ct, w => w.Filter = new()
        {
            ResourcePrefixes = { $"installations/{journey}" },
        });
        await world.Webhooks.DisableWebhookAsync(new() { Name = webhook.Name }, cancellationToken: ct);
        await world.HappenAsync(
            ct, $"installations/{journey}-a", $"installations/{journey}-b", $"installations/{journey}-a");

        await world.RestartAsync(faults);
        await SurviveAsync(faults, token => EnableAsync(webhook.Name, token), ct);
        var done = await SurviveAsync(
            faults,
            token => world.RestingAsync(webhook.Name, d => d.Count == 3 && d.All(x => x.Status == "succeeded"), token),
            ct);

        var got = receiver.All.Where(r => r.Id.Contains(webhook.Name.Split('/')[1], StringComparison.Ordinal)).ToList();
        Assert.Equal(done.Select(d => d.MessageId).Order(), got.Select(r => r.Id).Distinct().Order());
        Assert.All(got.GroupBy(r => r.Resource), one =>
            Assert.Equal(one.Select(r => r.Sequence).Order(), one.Select(r => r.Sequence)));
        Assert.InRange(got.Count, 3, 3 + 2); // One crash repeats at most what was under way: one of each resource.
        if (!faults.Crashed.IsCompleted)
        {
            // It may still meet its crash: in work that goes on beside the journey.
            await world.RestartAsync();
        }

        await world.DeleteAsync(webhook);
    }

    private Task<Webhook> EnableAsync(string name, CancellationToken ct) =>
        world.Webhooks.EnableWebhookAsync(new() { Name = name }, cancellationToken: ct).ResponseAsync;

    /// <summary>Asks; if the process crashes before the answer, asks the next process the same.</summary>
    private async Task<T> SurviveAsync<T>(
        FaultPoints faults, Func<CancellationToken, Task<T>> ask, CancellationToken ct)
    {
        if (faults.Crashed.IsCompleted)
        {
            return await ask(ct);
        }

        using var cut = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var asking = ask(cut.Token);
        await Task.WhenAny(asking, faults.Crashed);
        if (!faults.Crashed.IsCompleted)
        {
            return await asking;
        }

        await cut.CancelAsync();
        await Task.WhenAny(asking);
        await world.ReviveAsync(ct);
        return await ask(ct);
    }
}
