using Cloud.ServiceDefaults.Supervision;
using static Cloud.Webhooks.WebhookState;
using Rule = Cloud.ServiceDefaults.Supervision.Rule<Cloud.Webhooks.Webhook, Cloud.Webhooks.WebhookState>;

namespace Cloud.Webhooks;

/// <summary>The life of a webhook. Requests enable, disable and delete it; only its receiver's failing moves it from
/// here.</summary>
public sealed class WebhookRules(Delivery delivery) : IRules<Webhook, WebhookState>
{
    /// <inheritdoc/>
    public Rule For(WebhookState state) => state switch
    {
        Enabled => new(delivery.DeliverAsync) { OnFailure = Disabled, Deadline = Delivery.Deadline },
        Disabled => new(null),
        Deleted => new(null),
    };
}
