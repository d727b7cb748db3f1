using Cloud.Installations.Tests.World;
using Cloud.ServiceDefaults.Storage;
using Grpc.Core;
using Xunit;
using Proto = Cloud.Protos.Installation.V1;

namespace Cloud.Installations.Tests;

/// <summary>Every verb in every state: what the table allows moves as it says, what it does not is refused with what
/// would be allowed. The world is closed, so that no step moves a row in between.</summary>
public sealed class VerbTests
{
    private static readonly IReadOnlyList<(InstallationVerb Verb, Ask Ask)> Verbs =
    [
        (InstallationVerbs.Update, (client, name, ct) => client.UpdateInstallationAsync(
            new() { Installation = new() { Name = name, Version = "99.0.0" } }, cancellationToken: ct)),
        (InstallationVerbs.Hibernate, (client, name, ct) =>
            client.HibernateInstallationAsync(new() { Name = name }, cancellationToken: ct)),
        (InstallationVerbs.WakeUp, (client, name, ct) =>
            client.WakeUpInstallationAsync(new() { Name = name }, cancellationToken: ct)),
        (InstallationVerbs.Delete, (client, name, ct) =>
            client.DeleteInstallationAsync(new() { Name = name }, cancellationToken: ct)),
        (InstallationVerbs.DeleteNow, (client, name, ct) =>
            client.DeleteInstallationAsync(new() { Name = name, Force = true }, cancellationToken: ct)),
        (InstallationVerbs.PostponeDeletion, (client, name, ct) => client.DeleteInstallationAsync(
            new() { Name = name, PendingTime = new() { Seconds = 60 } }, cancellationToken: ct)),
        (InstallationVerbs.CancelDeletion, (client, name, ct) =>
            client.CancelInstallationDeletionAsync(new() { Name = name }, cancellationToken: ct)),
        (InstallationVerbs.Retry, (client, name, ct) =>
            client.RetryInstallationAsync(new() { Name = name }, cancellationToken: ct)),
    ];

    private delegate AsyncUnaryCall<Proto.Installation> Ask(
        Proto.InstallationService.InstallationServiceClient client, string name, CancellationToken ct);

    [Fact]
    public async Task Every_verb_in_every_state_moves_or_is_refused_as_the_table_says()
    {
        var ct = TestContext.Current.CancellationToken;
        Assert.Equal(InstallationVerbs.All, Verbs.Select(v => v.Verb));
        await using var system = await InstallationSystem.StartAsync();
        system.World.Close();
        foreach (var (verb, ask) in Verbs)
        {
            foreach (var state in Enum.GetValues<InstallationState>())
            {
                var name = await InStateAsync(system, state);
                if (verb.Moves.TryGetValue(state, out var target))
                {
                    var moved = await ask(system.Client, name, ct);
                    Assert.True(
                        StateNames<InstallationState>.Of(target) == moved.State,
                        $"{verb.Word} in {state}: {moved.State}");
                    continue;
                }

                var refusal = await Refused.With("STATE_WRONG", async () => await ask(system.Client, name, ct));
                Assert.Equal(StatusCode.FailedPrecondition, refusal.StatusCode);
                Assert.Equal(StateNames<InstallationState>.Of(state), refusal.Metadata("state"));
                Assert.Equal(string.Join(", ", verb.Allowed), refusal.Metadata("allowed"));
            }
        }
    }

    [Fact]
    public async Task A_repeated_retry_is_answered_as_the_first_one_and_moves_nothing_any_more()
    {
        var ct = TestContext.Current.CancellationToken;
        await using var system = await InstallationSystem.StartAsync();
        system.World.DatabaseFailure = "no role";
        var made = await system.CreateAsync("acme");
        await system.UntilAsync(made.Name, "creation-failed");
        system.World.DatabaseFailure = null;
        var request = new Proto.RetryInstallationRequest { Name = made.Name, RequestId = ResourceId.New() };

        var asked = await system.Client.RetryInstallationAsync(request, cancellationToken: ct);
        var stable = await system.UntilAsync(made.Name, "stable");
        var repeated = await system.Client.RetryInstallationAsync(request, cancellationToken: ct);

        Assert.Equal("creation-requested", asked.State);
        Assert.Equal(asked, repeated);
        Assert.Equal(stable.Etag, (await system.UntilAsync(made.Name, "stable")).Etag);
    }

    /// <summary>An installation put into a state by hand; not due, so that no worker takes it up.</summary>
    private static async Task<string> InStateAsync(InstallationSystem system, InstallationState state)
    {
        var id = ResourceId.New();
        await system.QueryAsync(
            """
            INSERT INTO installations (
                id, state, version, epoch, attempts, state_since, owner_id, dns_names, application_version, image, size,
                affinity, mattermost_env, create_time, update_time)
            VALUES ($1, $2, 1, 0, 0, now(), 'unowned', ARRAY[$1 || '.localhost'], '10.1.0', 'a/b', '100users',
                'multitenant', '{}', now(), now())
            """,
            id,
            StateNames<InstallationState>.Of(state));
        return Installation.NameOf(id);
    }
}
