using Cloud.ServiceDefaults.Storage;
using Grpc.Core;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Webhooks;

/// <summary>Serves WatchWebhooks. How deliveries go is no part of the row: it is as of now.</summary>
public sealed class WebhookWatch(WebhookStore store, DeliveryStore deliveries, WatchStreams streams)
{
    private readonly Watched<Webhook, Proto.Webhook> _webhooks = new(store.Noun, Proto.Webhook.Parser)
    {
        FilterHash = PageToken.HashOf("watch-webhooks"),
        Page = (after, limit, ct) => store.ListAsync(new([], ShowDeleted: false), after, limit, ct),
        Show = webhook => webhook.ToProto(null),
        CompleteAsync = async (webhooks, ct) =>
        {
            var backlogs = await deliveries.BacklogsAsync(webhooks.Select(w => IdOf(w.Name)), ct);
            foreach (var webhook in webhooks)
            {
                webhook.DeliveryStatus = backlogs[IdOf(webhook.Name)].ToProto();
            }
        },
    };

    /// <summary>Streams until the client or the service stops.</summary>
    public Task StreamAsync(
        Proto.WatchWebhooksRequest request,
        IServerStreamWriter<Proto.WatchWebhooksResponse> stream,
        CancellationToken ct) =>
        streams.RunAsync(
            _webhooks,
            request.ResumeToken,
            message => stream.WriteAsync(
                new()
                {
                    Kind = message.Kind, Webhook = message.Resource, PreviousState = message.PreviousState,
                    Reason = message.Reason, ResumeToken = message.ResumeToken,
                }),
            ct);

    private static string IdOf(string name) => name[(name.IndexOf('/', StringComparison.Ordinal) + 1)..];
}
