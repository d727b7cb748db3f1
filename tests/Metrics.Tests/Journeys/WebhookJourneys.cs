using Cloud.Metrics.Tests.Webhooks;
using Cloud.TestHost.Journeys;
using Microsoft.AspNetCore.Http;
using Xunit;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Metrics.Tests.Journeys;

/// <summary>A webhook that wants what happens to two installations of its life, and gets it.</summary>
public abstract class WebhookJourney : Journey<Post>
{
    private const int EventsEachTime = 3;

    public override string Noun => "webhook";

    /// <summary>What a receiver makes of it that tells repeats by their id; and the log.</summary>
    public override async Task<IReadOnlyList<string>> OutsideAsync(Post world, Life life, CancellationToken ct) =>
    [
        .. Once(world.ReceivedBy(life)).Select((received, n) => $"{n}: {received.Id}"),
        .. (await DeliveriesAsync(life, ct)).Select(delivery => delivery.ToString()),
    ];

    protected static Task<Proto.Webhook> CreateAsync(Post world, Life life, CancellationToken ct) => life.BeginAsync(
        "create",
        token => ClientOf(life).CreateWebhookAsync(
            new()
            {
                Webhook = new()
                {
                    DisplayName = life.Id, Url = world.UrlOf(life),
                    Filter = new() { ResourcePrefixes = { $"installations/{life.Id}" } },
                },
                RequestId = life.RequestId,
            },
            cancellationToken: token),
        made => made.Name,
        ct);

    /// <summary>Something happens to both installations, to the first one twice.</summary>
    /// <param name="time">The how many-th time it does.</param>
    protected static Task HappenAsync(Life life, int time, CancellationToken ct)
    {
        var request = new Proto.AppendEventsRequest { Source = life.Id };
        foreach (var (installation, n) in new[] { "a", "b", "a" }.Select((name, n) => (name, n)))
        {
            request.Events.Add(FeedWorld.Event(
                (time - 1) * EventsEachTime + n + 1, $"installations/{life.Id}{installation}", "update-requested"));
        }

        return life.AskAsync(
            $"append {time}",
            token => new Proto.EventIngestionService.EventIngestionServiceClient(life.Invoker).AppendEventsAsync(
                request, cancellationToken: token),
            ct);
    }

    /// <summary>Waits until all that happened so far is delivered: each event at least once, and those of a resource in
    /// order.</summary>
    protected static async Task DeliveredAsync(Post world, Life life, int times, CancellationToken ct)
    {
        await life.UntilAsync(
            "enabled",
            async token => await DeliveriesAsync(life, token) is { } all && all.Count == times * EventsEachTime
                && all.All(delivery => delivery.Status == "succeeded"),
            ct);
        var got = Once(world.ReceivedBy(life));
        Assert.Equal(times * EventsEachTime, got.Count);
        Assert.All(got.GroupBy(received => received.Resource), one =>
            Assert.Equal(one.Select(received => received.Sequence).Order(), one.Select(received => received.Sequence)));
    }

    protected static async Task EnableAsync(Life life, CancellationToken ct) => await life.AskAsync(
        "enable",
        token => ClientOf(life).EnableWebhookAsync(
            new() { Name = NameOf(life), RequestId = life.RequestId }, cancellationToken: token),
        ct);

    protected static async Task DisableAsync(Life life, CancellationToken ct)
    {
        await life.AskAsync(
            "disable",
            token => ClientOf(life).DisableWebhookAsync(
                new() { Name = NameOf(life), RequestId = life.RequestId }, cancellationToken: token),
            ct);
        await life.UntilAsync("disabled", ct);
    }

    protected static async Task DeleteAsync(Life life, CancellationToken ct)
    {
        await life.AskAsync(
            "delete",
            token => ClientOf(life).DeleteWebhookAsync(
                new() { Name = NameOf(life), RequestId = life.RequestId }, cancellationToken: token),
            ct);
        await life.UntilAsync("deleted", ct);
    }

    private static async Task<IReadOnlyList<Proto.WebhookDelivery>> DeliveriesAsync(Life life, CancellationToken ct) =>
        (await ClientOf(life).ListWebhookDeliveriesAsync(
            new() { Parent = NameOf(life) }, cancellationToken: ct)).Deliveries;

    private static List<Received> Once(IEnumerable<Received> received) => [.. received.DistinctBy(r => r.Id)];

    private static string NameOf(Life life) => $"webhooks/{life.RowId}";

    private static Proto.WebhookService.WebhookServiceClient ClientOf(Life life) => new(life.Invoker);
}

/// <summary>Made, disabled, enabled with what it missed, deleted.</summary>
public sealed class WebhookComesAndGoes : WebhookJourney
{
    public override async Task LiveAsync(Post world, Life life, CancellationToken ct)
    {
        await CreateAsync(world, life, ct);
        await HappenAsync(life, 1, ct);
        await DeliveredAsync(world, life, 1, ct);
        await DisableAsync(life, ct);
        await HappenAsync(life, 2, ct);
        await EnableAsync(life, ct);
        await DeliveredAsync(world, life, 2, ct);
        await DeleteAsync(life, ct);
    }
}

/// <summary>Its receiver wants no more, and then does.</summary>
public sealed class WebhookIsGivenUp : WebhookJourney
{
    public override async Task LiveAsync(Post world, Life life, CancellationToken ct)
    {
        world.Refuse(life, StatusCodes.Status410Gone);
        await CreateAsync(world, life, ct);
        await HappenAsync(life, 1, ct);
        await life.UntilAsync("disabled", ct);
        world.Take(life);
        await EnableAsync(life, ct);
        await DeliveredAsync(world, life, 1, ct);
        await DeleteAsync(life, ct);
    }
}
