using Cloud.Events;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Dapper;
using Google.Protobuf;

namespace Cloud.Webhooks;

/// <summary>Which webhooks a list is about.</summary>
public sealed record WebhookListFilter(IReadOnlyList<string> States, bool ShowDeleted);

/// <summary>All SQL of webhooks themselves; their deliveries are in <see cref="DeliveryStore"/>.</summary>
public sealed class WebhookStore(Database database)
    : SupervisedStore<Webhook, WebhookState>(database, "webhooks", NounName, Webhook.Collection)
{
    /// <summary>The noun of events and nudges.</summary>
    public const string NounName = "webhook";

    /// <summary>Constraint that keeps display names apart.</summary>
    public const string DisplayNameIndex = "webhooks_display_name";

    /// <summary>A page of webhooks, oldest first.</summary>
    public Task<IReadOnlyList<Webhook>> ListAsync(
        WebhookListFilter filter, PageKey? after, int count, CancellationToken ct) =>
        PageAsync(
            new Conditions()
                .InStates(filter.States)
                .AddUnless(filter.ShowDeleted || filter.States.Contains("deleted"), "state <> 'deleted'"),
            after,
            count,
            ct);

    /// <summary>How many are live. Until the transaction ends, nobody else who counts first can make one.</summary>
    public async Task<int> CountLiveAsync(DatabaseTransaction tx, CancellationToken ct)
    {
        await tx.Connection.ExecuteAsync(new CommandDefinition(
            "SELECT pg_advisory_xact_lock(hashtext('webhooks'), hashtext(current_schema()))",
            transaction: tx.Transaction,
            cancellationToken: ct));
        return await tx.Connection.QuerySingleAsync<int>(new CommandDefinition(
            "SELECT count(*)::int FROM webhooks WHERE state <> 'deleted'",
            transaction: tx.Transaction,
            cancellationToken: ct));
    }

    /// <summary>Nudges the enabled webhooks that want any of these events, once they are committed.</summary>
    public async Task WakeAsync(DatabaseTransaction tx, IReadOnlyList<RecordedEvent> events, CancellationToken ct)
    {
        foreach (var webhook in await SelectAsync(tx, "WHERE state = 'enabled'", null, ct))
        {
            if (events.Any(webhook.Wants))
            {
                tx.NudgeAfterCommit(new Nudge(Noun, webhook.Id));
            }
        }
    }

    /// <inheritdoc/>
    protected override Webhook Stamp(Webhook row, DateTimeOffset now) => row with { UpdateTime = now };

    /// <inheritdoc/>
    protected override ResourceEvent? EventFor(Webhook? before, Webhook after, ResourceEvent draft) =>
        draft with { Snapshot = after.ToProto(null).ToByteArray() };
}
