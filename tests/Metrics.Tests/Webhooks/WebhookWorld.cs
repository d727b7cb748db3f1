using Cloud.Events;
using Cloud.Protos.Supervision.V1;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Cloud.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Xunit;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Metrics.Tests.Webhooks;

/// <summary>A <see cref="FeedWorld"/> with a clock that tests turn, posting to real HTTP servers. Tests of a class
/// share it; each makes the webhooks that it needs and deletes them.</summary>
public sealed class WebhookWorld : IAsyncLifetime
{
    /// <summary>How long anything awaited may take before the test fails; never a measure of speed.</summary>
    public static readonly TimeSpan Patience = FeedWorld.Patience;

    /// <summary>Receivers are on this machine and have no certificates.</summary>
    public static readonly IReadOnlyList<KeyValuePair<string, string?>> Settings =
        [new("Webhooks:AllowHttp", "true"), new("Webhooks:AllowPrivateNetworks", "true")];

    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(2);

    private const string Source = "test";

    private const string DeletedPrefix = "deleted:";

    private readonly SemaphoreSlim _happening = new(1);
    private readonly FeedWorld _feed;
    private long _happened;

    public WebhookWorld() => _feed = new FeedWorld
    {
        Settings = Settings,
        Clock = Clock,
        Configure = services => services.AddSingleton<Checkpoints>(new Listened(Heartbeat)),
    };

    /// <summary>The clock of the service.</summary>
    public FakeTimeProvider Clock { get; } = new(TimeProvider.System.GetUtcNow());

    /// <summary>Raised whenever the service's work passes a checkpoint.</summary>
    public Heartbeat Heartbeat { get; } = new();

    public ServiceHost<EventService> Service => _feed.Service;

    public TestDatabase Own => _feed.Own;

    public Proto.WebhookService.WebhookServiceClient Webhooks => new(Service.Channel);

    public ValueTask InitializeAsync() => _feed.InitializeAsync();

    public async ValueTask DisposeAsync()
    {
        await _feed.DisposeAsync();
        _happening.Dispose();
    }

    /// <summary>A further replica on the same tables and keys.</summary>
    public ServiceHost<EventService> Start(params IEnumerable<KeyValuePair<string, string?>> settings) =>
        _feed.Start(settings);

    /// <summary>Ends the running process and goes on with a new one.</summary>
    public Task RestartAsync() => _feed.RestartAsync();

    /// <summary>Makes a webhook for a receiver: of installations, so that other webhooks are none of its
    /// business.</summary>
    internal async Task<Proto.Webhook> CreateAsync(
        Receiver receiver, CancellationToken ct, Action<Proto.Webhook>? change = null)
    {
        var wanted = new Proto.Webhook
        {
            DisplayName = $"hook-{ResourceId.New()}",
            Url = receiver.Url,
            Filter = new() { ResourceTypes = { "installation" } },
        };
        change?.Invoke(wanted);
        return await Webhooks.CreateWebhookAsync(new() { Webhook = wanted }, cancellationToken: ct);
    }

    /// <summary>Things happen to resources, in this order: events as a service hands them in. <c>deleted:</c> before a
    /// name means its end.</summary>
    /// <returns>Their sequences in the feed.</returns>
    public async Task<IReadOnlyList<long>> HappenAsync(CancellationToken ct, params IEnumerable<string> resources)
    {
        await _happening.WaitAsync(ct);
        try
        {
            var request = new Proto.AppendEventsRequest { Source = Source };
            foreach (var resource in resources)
            {
                request.Events.Add(resource.StartsWith(DeletedPrefix, StringComparison.Ordinal)
                    ? FeedWorld.Event(++_happened, resource[DeletedPrefix.Length..], "deletion-requested", "deleted")
                    : FeedWorld.Event(++_happened, resource, "update-requested"));
            }

            await _feed.Ingestion.AppendEventsAsync(request, cancellationToken: ct);
            var found = await _feed.Events.ListEventsAsync(
                new() { Filter = new() { Source = Source }, PageSize = request.Events.Count }, cancellationToken: ct);
            return [.. found.Events.Reverse().Select(e => e.Sequence)];
        }
        finally
        {
            _happening.Release();
        }
    }

    /// <summary>Ends webhooks, so that they are in no other test's way.</summary>
    public async Task DeleteAsync(params IEnumerable<Proto.Webhook> webhooks)
    {
        foreach (var webhook in webhooks)
        {
            await Webhooks.DeleteWebhookAsync(
                new() { Name = webhook.Name }, cancellationToken: TestContext.Current.CancellationToken);
        }
    }

    /// <summary>The deliveries of a webhook, oldest first.</summary>
    public async Task<IReadOnlyList<Proto.WebhookDelivery>> DeliveriesAsync(string webhook, CancellationToken ct) =>
    [
        .. (await Webhooks.ListWebhookDeliveriesAsync(
            new() { Parent = webhook, PageSize = 1000 }, cancellationToken: ct)).Deliveries.Reverse(),
    ];

    /// <summary>Waits until the deliveries of a webhook are as wanted and nobody works on it.</summary>
    public async Task<IReadOnlyList<Proto.WebhookDelivery>> RestingAsync(
        string webhook, Func<IReadOnlyList<Proto.WebhookDelivery>, bool> isWanted, CancellationToken ct)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        patience.CancelAfter(Patience);
        while (true)
        {
            var next = Heartbeat.Next;
            var deliveries = await DeliveriesAsync(webhook, patience.Token);
            if (isWanted(deliveries) && await IsAtRestAsync(webhook, patience.Token))
            {
                return deliveries;
            }

            await SomethingAsync(next, patience.Token);
        }
    }

    /// <summary>Waits until a webhook is as wanted.</summary>
    public async Task<Proto.Webhook> UntilAsync(string name, Func<Proto.Webhook, bool> isWanted, CancellationToken ct)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        patience.CancelAfter(Patience);
        while (true)
        {
            var next = Heartbeat.Next;
            var webhook = await Webhooks.GetWebhookAsync(new() { Name = name }, cancellationToken: patience.Token);
            if (isWanted(webhook))
            {
                return webhook;
            }

            await SomethingAsync(next, patience.Token);
        }
    }

    /// <summary>Why a webhook is as it is.</summary>
    public async Task<Explanation> WhyAsync(string webhook, CancellationToken ct) =>
        (await Webhooks.WhyWebhookAsync(new() { Name = webhook }, cancellationToken: ct)).Chain[0];

    public async Task ExecuteAsync(string sql, CancellationToken ct)
    {
        await using var command = Own.Source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Waits for the next checkpoint. When all is quiet the clock moves on a little: a step that a turned
    /// clock cut short is tried again after a second.</summary>
    private async Task SomethingAsync(Task next, CancellationToken ct)
    {
        try
        {
            await next.WaitAsync(Quiet, ct);
        }
        catch (TimeoutException)
        {
            Clock.Advance(TimeSpan.FromSeconds(1));
        }
    }

    private async Task<bool> IsAtRestAsync(string webhook, CancellationToken ct) =>
        (await WhyAsync(webhook, ct)).Owner.Length == 0;
}

/// <summary>Checkpoints with a heartbeat at each.</summary>
internal sealed class Listened(Heartbeat heartbeat) : Checkpoints
{
    /// <inheritdoc/>
    public override ValueTask PassAsync(string place, CancellationToken ct)
    {
        heartbeat.Raise();
        return ValueTask.CompletedTask;
    }
}

/// <summary>Tells whoever waits that work has passed some checkpoint.</summary>
public sealed class Heartbeat
{
    private TaskCompletionSource _next = NewSource();

    /// <summary>Ends at the next checkpoint that is passed after this was asked.</summary>
    public Task Next => Volatile.Read(ref _next).Task;

    public void Raise() => Interlocked.Exchange(ref _next, NewSource()).TrySetResult();

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
