using Cloud.Installations.Tests.World;
using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Hosting;
using Grpc.Core;
using Xunit;
using Proto = Cloud.Protos.Installation.V1;

namespace Cloud.Installations.Tests;

public sealed class CreationStories
{
    private static CancellationToken Cut => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_new_installation_becomes_stable_once_its_pods_are_ready()
    {
        await using var system = await InstallationSystem.StartAsync();
        system.World.PodsSettle = false;

        var made = await system.CreateAsync("acme");
        Assert.Equal("creation-requested", made.State);
        Assert.Equal("http://acme.localhost:8080/", made.Url);
        await system.UntilAsync(made.Name, i => i.ClusterInstallation != "", "created in its cluster");
        await system.World.SettleAsync(made.Name);
        var stable = await system.UntilAsync(made.Name, "stable");

        Assert.Equal(
            [
                "creation-requested", "creation-pre-provisioning", "creation-in-progress", "creation-configuring-dns",
                "creation-final-tasks", "stable",
            ],
            await system.StatesOfAsync(made.Name));
        Assert.Equal(PlacementSide.Cluster, stable.Cluster);
        Assert.NotEqual("", stable.LogicalDatabase);
        Assert.Null(stable.Progress.NextAttemptTime);
        Assert.True(stable.UpdateTime > made.CreateTime);
    }

    [Fact]
    public async Task The_cluster_is_asked_for_exactly_what_was_wished()
    {
        await using var system = await InstallationSystem.StartAsync();
        var made = await system.Client.CreateInstallationAsync(
            new Proto.CreateInstallationRequest
            {
                Installation = new Proto.Installation
                {
                    DnsNames = { "Acme.Example.com.", "chat-acme.localhost" },
                    Version = "10.2.0",
                    Size = "1000users",
                    MattermostEnv =
                    {
                        ["PLAIN"] = new() { Value = "value" },
                        ["SECRET"] = new() { SecretKey = new() { Name = "mail", Key = "password" } },
                        ["MAPPED"] = new() { ConfigMapKey = new() { Name = "motd", Key = "text" } },
                    },
                },
            },
            cancellationToken: Cut);
        var stable = await system.UntilAsync(made.Name, "stable");

        var spec = system.World.Look(w => Assert.Single(w.ClusterInstallations).Spec)!;
        Assert.Equal(["acme.example.com", "chat-acme.localhost"], spec.DnsNames);
        Assert.Equal("10.2.0", spec.Version);
        Assert.Equal("mattermost/mattermost-enterprise-edition", spec.Image);
        Assert.Equal("1000users", spec.Size);
        Assert.Equal("value", spec.Env["PLAIN"]);
        Assert.Equal("mail/password", spec.SecretEnv["SECRET"]);
        Assert.Equal("motd/text", spec.ConfigMapEnv["MAPPED"]);
        Assert.Equal(stable.LogicalDatabase, spec.LogicalDatabase);
        Assert.False(spec.Hibernated);
        Assert.Equal("mail", stable.MattermostEnv["SECRET"].SecretKey.Name);
    }

    [Fact]
    public async Task Without_room_it_says_so_and_goes_on_when_there_is_some()
    {
        await using var system = await InstallationSystem.StartAsync(fakeClock: true);
        system.World.ClusterRoom = 0;
        var made = await system.CreateAsync("acme");
        var waiting = await system.UntilWaitingAsync(made.Name, "100 % of its CPU is taken");
        Assert.Equal("creation-no-compatible-clusters", waiting.State);
        Assert.Contains(PlacementSide.Cluster, waiting.Progress.WaitingFor, StringComparison.Ordinal);

        system.World.ClusterRoom = 1;
        system.Clock!.Advance(TimeSpan.FromMinutes(1));
        await system.UntilAsync(made.Name, "stable");
    }

    [Fact]
    public async Task A_retry_looks_for_room_at_once()
    {
        await using var system = await InstallationSystem.StartAsync(fakeClock: true);
        system.World.ClusterRoom = 0;
        var made = await system.CreateAsync("acme");
        await system.UntilWaitingAsync(made.Name, "100 % of its CPU is taken");

        system.World.ClusterRoom = 1;
        await system.Client.RetryInstallationAsync(new() { Name = made.Name }, cancellationToken: Cut);
        await system.UntilAsync(made.Name, "stable");
    }

    [Fact]
    public async Task A_full_database_server_is_waited_for_with_the_reason()
    {
        await using var system = await InstallationSystem.StartAsync(fakeClock: true);
        system.World.DatabaseRoom = 0;
        var made = await system.CreateAsync("acme");
        var waiting = await system.UntilWaitingAsync(made.Name, "all 300 databases are taken");
        Assert.Equal("creation-pre-provisioning", waiting.State);

        system.World.DatabaseRoom = 1;
        system.Clock!.Advance(TimeSpan.FromMinutes(1));
        await system.UntilAsync(made.Name, "stable");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_fails_for_good_ends_in_creation_failed_and_a_retry_begins_from_nothing(bool inCluster)
    {
        await using var system = await InstallationSystem.StartAsync();
        (system.World.ClusterFailure, system.World.DatabaseFailure) =
            (inCluster ? "no such image" : null, inCluster ? null : "no role");
        var made = await system.CreateAsync("acme");
        var failed = await system.UntilAsync(made.Name, "creation-failed");
        Assert.Equal("WORLD_FAILED", failed.Progress.LastError.Code);
        Assert.Equal(Protos.Supervision.V1.Fault.Operator, failed.Progress.LastError.Fault);
        Assert.False(failed.Progress.LastError.Retryable);

        (system.World.ClusterFailure, system.World.DatabaseFailure) = (null, null);
        await system.Client.RetryInstallationAsync(new() { Name = made.Name }, cancellationToken: Cut);
        var stable = await system.UntilAsync(made.Name, "stable");
        Assert.Null(stable.Progress.LastError);
        Assert.Equal(
            inCluster ? 2 : 1, system.World.Look(w => w.ClusterInstallations.Count(r => r.Installation == made.Name)));
        Assert.Equal(inCluster ? 1 : 2, system.World.Look(w => w.Databases.Count(r => r.Installation == made.Name)));
    }

    [Fact]
    public async Task A_wish_that_another_service_refuses_is_hopeless()
    {
        await using var system = await InstallationSystem.StartAsync();
        system.World.Refusal = method => method == "CreateClusterInstallation"
            ? Problem.Invalid(new FieldProblem("spec.size", "too big", ErrorReason.SizeUnknown))
                .ToRpcStatus().ToRpcException()
            : null;
        var made = await system.CreateAsync("acme");
        var failed = await system.UntilAsync(made.Name, "creation-failed");
        Assert.Equal("SIZE_UNKNOWN", failed.Progress.LastError.Code);
    }

    [Fact]
    public async Task Services_that_are_away_are_waited_for()
    {
        await using var system = await InstallationSystem.StartAsync(fakeClock: true);
        system.World.Refusal = _ =>
            Problem.Unavailable(ErrorReason.Starting, "not yet", TimeSpan.FromSeconds(1))
                .ToRpcStatus().ToRpcException();
        var made = await system.CreateAsync("acme");
        var waiting = await system.UntilWaitingAsync(made.Name, "not yet");
        Assert.Equal("PEER_UNAVAILABLE", waiting.Progress.LastError.Code);
        Assert.True(waiting.Progress.LastError.Retryable);

        system.World.Refusal = _ => null;
        system.Clock!.Advance(TimeSpan.FromMinutes(5));
        await system.UntilAsync(made.Name, "stable");
    }

    [Fact]
    public async Task Pods_that_never_become_ready_are_given_up()
    {
        await using var system = await InstallationSystem.StartAsync(fakeClock: true);
        system.World.PodsSettle = false;
        var made = await system.CreateAsync("acme");
        await system.UntilWaitingAsync(made.Name, "clusterInstallations/");
        system.Clock!.Advance(InstallationRules.PodsGiveUpAfter);
        var failed = await system.UntilAsync(made.Name, "creation-failed");
        Assert.StartsWith("Gave up after 30 min", failed.Progress.LastError.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_hundred_at_once_become_stable_with_two_replicas_and_each_is_made_once()
    {
        await using var system = await InstallationSystem.StartAsync();
        system.AddReplica();
        var made = await Task.WhenAll(Enumerable.Range(0, 100).Select(async n =>
            await system.ClientOf(n % 2).CreateInstallationAsync(
                new() { NameHint = $"acme-{n}" }, cancellationToken: Cut)));
        foreach (var installation in made)
        {
            await system.UntilAsync(installation.Name, "stable");
        }

        foreach (var installation in made)
        {
            Assert.Equal(3, system.World.LeftOf(installation.Name).Count);
            Assert.Equal(6, (await system.StatesOfAsync(installation.Name)).Count);
        }
    }
}
