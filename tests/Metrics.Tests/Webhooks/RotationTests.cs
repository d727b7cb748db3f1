using Google.Protobuf.WellKnownTypes;
using Xunit;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Metrics.Tests.Webhooks;

public sealed class RotationTests(WebhookWorld world) : IClassFixture<WebhookWorld>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task During_the_overlap_deliveries_carry_a_signature_of_each_secret_and_after_it_of_the_new_one()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        var webhook = await world.CreateAsync(receiver, Ct);
        var rotated = await RotateAsync(webhook, null);
        Assert.NotEqual(webhook.Secret, rotated.Secret);
        var overlap = rotated.OldSecretsExpireTime.ToDateTimeOffset() - world.Clock.GetUtcNow();
        Assert.InRange(overlap, TimeSpan.FromHours(24) - TimeSpan.FromSeconds(1), TimeSpan.FromHours(24));

        var both = await NextAsync(receiver, webhook, "installations/both");
        Assert.True(SignatureCheck.Holds(both, webhook.Secret));
        Assert.True(SignatureCheck.Holds(both, rotated.Secret));
        Assert.Equal(2, SignatureCheck.Count(both));

        world.Clock.Advance(TimeSpan.FromHours(25));
        var after = await NextAsync(receiver, webhook, "installations/after");
        Assert.False(SignatureCheck.Holds(after, webhook.Secret));
        Assert.True(SignatureCheck.Holds(after, rotated.Secret));
        Assert.Equal(1, SignatureCheck.Count(after));
        await world.DeleteAsync(webhook);
    }

    [Fact]
    public async Task Without_overlap_all_earlier_secrets_end_at_once()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        var webhook = await world.CreateAsync(receiver, Ct);
        for (var n = 0; n < 4; n++)
        {
            await RotateAsync(webhook, TimeSpan.FromDays(7));
        }

        Assert.Equal(5, SignatureCheck.Count(await NextAsync(receiver, webhook, "installations/many")));
        var tooMany = await Refusal.OfAsync(RotateAsync(webhook, TimeSpan.FromDays(7)));
        Assert.Equal("SECRETS_TOO_MANY", tooMany.Reason);

        var last = await RotateAsync(webhook, TimeSpan.Zero);
        Assert.Null(last.OldSecretsExpireTime);
        var got = await NextAsync(receiver, webhook, "installations/revoked");
        Assert.Equal(1, SignatureCheck.Count(got));
        Assert.True(SignatureCheck.Holds(got, last.Secret));
        await world.DeleteAsync(webhook);
    }

    [Fact]
    public async Task A_secret_is_answered_where_it_was_made_and_to_a_repeat_of_that_request_and_nowhere_else()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        var request = new Proto.CreateWebhookRequest
        {
            Webhook = new() { DisplayName = "secretive", Url = receiver.Url },
            RequestId = "create-secretive",
        };
        request.Webhook.Headers.Add("x-token", "sesame-open");
        var webhook = await world.Webhooks.CreateWebhookAsync(request, cancellationToken: Ct);
        var again = await world.Webhooks.CreateWebhookAsync(request, cancellationToken: Ct);
        var rotation = new Proto.RotateWebhookSecretRequest { Name = webhook.Name, RequestId = "rotate-secretive" };
        var rotated = await world.Webhooks.RotateWebhookSecretAsync(rotation, cancellationToken: Ct);
        var rotatedAgain = await world.Webhooks.RotateWebhookSecretAsync(rotation, cancellationToken: Ct);

        Assert.Equal(webhook, again);
        Assert.Equal(rotated, rotatedAgain);
        Assert.Matches("^whsec_[A-Za-z0-9+/]{43}=$", webhook.Secret);
        var get = await world.Webhooks.GetWebhookAsync(new() { Name = webhook.Name }, cancellationToken: Ct);
        Assert.Equal("", get.Secret);
        Assert.Equal("********", get.Headers["x-token"]);
        Assert.Equal("", (await world.Webhooks.RotateWebhookSecretAsync(
            new() { Name = webhook.Name, ValidateOnly = true }, cancellationToken: Ct)).Secret);

        var stored = await EverythingStoredAsync();
        Assert.Contains(webhook.Name, stored, StringComparison.Ordinal);
        Assert.DoesNotContain(webhook.Secret["whsec_".Length..], stored, StringComparison.Ordinal);
        Assert.DoesNotContain(rotated.Secret["whsec_".Length..], stored, StringComparison.Ordinal);
        Assert.DoesNotContain("sesame-open", stored, StringComparison.Ordinal);
        await world.DeleteAsync(webhook);
    }

    private async Task<Proto.Webhook> RotateAsync(Proto.Webhook webhook, TimeSpan? overlap) =>
        await world.Webhooks.RotateWebhookSecretAsync(
            new() { Name = webhook.Name, Overlap = overlap?.ToDuration() }, cancellationToken: Ct);

    /// <summary>The next delivery, recorded: the clock may be turned then.</summary>
    private async Task<Received> NextAsync(Receiver receiver, Proto.Webhook webhook, string resource)
    {
        await world.HappenAsync(Ct, resource);
        await world.RestingAsync(
            webhook.Name, d => d.Any(x => x.Resource == resource && x.Status == "succeeded"), Ct);
        return receiver.All.Single(r => r.Resource == resource);
    }

    /// <summary>Every row of every table, as text; bytes as the characters they are.</summary>
    private async Task<string> EverythingStoredAsync()
    {
        await using var command = world.Own.Source.CreateCommand(
            """
            SELECT string_agg(replace(query_to_xml(format('SELECT * FROM %I.%I', table_schema, table_name),
                                           true, false, '')::text, E'\n', ' '), ' ')
                || (SELECT string_agg(encode(reply, 'escape'), ' ') FROM request_ledger)
                || (SELECT string_agg(encode(snapshot, 'escape'), ' ') FROM outbox)
              FROM information_schema.tables WHERE table_schema = current_schema()
            """);
        return (string)(await command.ExecuteScalarAsync(Ct))!;
    }
}
