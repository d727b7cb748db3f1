using System.Text.Json.Nodes;
using Cloud.Operator.Manifests;
using Cloud.Operator.Mattermosts;
using Cloud.Watching;
using k8s;
using k8s.Models;
using Microsoft.Extensions.DependencyInjection;

namespace Cloud.Operator.Tests.Loop;

public sealed class OperatorTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_new_resource_becomes_stable_with_everything_it_needs()
    {
        await using var world = await World.Start();
        await world.StartOperator();
        await world.Create("chat", """{"size":"100users","replicas":null,"unknown":{"kept":[1]}}""");

        var chat = await world.UntilStable("chat");

        Assert.Equal(("1.0", "example/app", 1, 1), (
            chat.Status!.Version, chat.Status.Image, chat.Status.Replicas, chat.Status.UpdatedReplicas));
        Assert.Equal("chat.localhost", chat.Status.Endpoint);
        Assert.Null(chat.Spec.Size);
        Assert.Equal(1, chat.Spec.Replicas);
        Assert.Equal("""{"kept":[1]}""", chat.Spec.Others!["unknown"].GetRawText());
        await AssertOwned(world, chat, ResourceKinds.Deployments);
        await AssertOwned(world, chat, ResourceKinds.Services);
        await AssertOwned(world, chat, ResourceKinds.Ingresses);
        await AssertOwned(world, chat, ResourceKinds.ServiceAccounts);
        await AssertOwned(world, chat, ResourceKinds.Roles);
        await AssertOwned(world, chat, ResourceKinds.RoleBindings);
        await AssertOwned(world, chat, ResourceKinds.PersistentVolumeClaims);
    }

    [Fact]
    public async Task What_is_deleted_or_changed_by_hand_comes_back()
    {
        await using var world = await World.Start();
        await world.StartOperator();
        await world.Create("chat");
        await world.UntilStable("chat");
        var key = new ObjectKey(World.Namespace, "chat");

        var deployment = await world.Find(ResourceKinds.Deployments, "chat");
        await world.Api.Delete(ResourceKinds.Deployments, key, null, Cancellation);
        await world.Api.Delete(ResourceKinds.Roles, key, null, Cancellation);
        await world.Api.Delete(ResourceKinds.Services, key, null, Cancellation);
        await world.Until(
            ResourceKinds.Deployments, "chat", d => d is not null && d.Metadata.Uid != deployment!.Metadata.Uid);
        await world.Until(ResourceKinds.Roles, "chat", r => r is not null);
        await world.Until(ResourceKinds.Services, "chat", s => s is not null);

        await world.Api.MergePatch(
            ResourceKinds.Ingresses, key,
            JsonNode.Parse("""
                {"spec":{"rules":[{"host":"other"}]},"metadata":{"labels":{"foreign":"1"}}}
                """)!.AsObject(),
            "somebody", null, Cancellation);
        var ingress = await world.Until(
            ResourceKinds.Ingresses, "chat", i => i?.Spec.Rules[0].Host == "chat.localhost");
        Assert.Equal("1", ingress!.Metadata.Labels["foreign"]);
        await world.UntilStable("chat");
    }

    [Fact]
    public async Task A_resource_that_cannot_be_read_says_so_itself_until_it_can()
    {
        await using var world = await World.Start();
        await world.StartOperator();
        await world.Create("chat");
        await world.UntilStable("chat");
        var rough = Mattermost.ResourceKind.As<UnstructuredObject>();
        var key = new ObjectKey(World.Namespace, "chat");

        await world.Api.MergePatch(rough, key, Affinity("near the sea"), "somebody", null, Cancellation);
        var told = await world.Until(
            rough, "chat", chat => chat?.Value("status", "error")?.GetString()?.Length > 0);

        Assert.Equal(
            "It cannot be read: the value at $.spec.scheduling.affinity.nodeAffinity is not of the kind that belongs "
            + "there",
            told!.Value("status", "error")!.Value.GetString());
        Assert.Equal("reconciling", told.Value("status", "state")!.Value.GetString());
        Assert.Equal(
            told.Metadata.Generation, told.Value("status", "observedGeneration")!.Value.GetInt64());
        var events = new Selection(World.Namespace);
        while (!(await world.Api.ListPage(ResourceKinds.Events, events, null, null, Cancellation)).Items.Any(
            e => e.Reason == "Unreadable" && e.Regarding.Name == "chat"))
        {
            await Task.Yield();
        }

        await world.Api.MergePatch(rough, key, Affinity(null), "somebody", null, Cancellation);
        Assert.Null((await world.UntilStable("chat")).Status!.Error);
    }

    [Fact]
    public async Task A_settled_resource_is_not_written_again_even_by_another_operator()
    {
        await using var world = await World.Start();
        var first = await world.StartOperator();
        await world.Create("chat", """{"size":"miniSingleton"}""");
        await world.UntilStable("chat");
        await world.StopOperator(first);
        var before = await Versions(world);

        // One worker: when the second resource is stable, the pass over the first is long over.
        await world.StartOperator(new OperatorOptions { Instance = "second", MaxReconcileConcurrency = 1 });
        await world.Create("later");
        await world.UntilStable("later");

        Assert.Equal(before, await Versions(world));
    }

    [Fact]
    public async Task A_new_image_waits_for_the_migration_of_the_database()
    {
        await using var world = await World.Start(nodes: 0);
        await world.StartOperator();
        await world.Create("chat");
        await world.Until(ResourceKinds.Deployments, "chat", d => d is not null);

        await world.Change("chat", """{"version":"2.0"}""");
        var job = await world.Until(ResourceKinds.Jobs, Names.UpdateJob, IsTakenUp);
        Assert.Equal("example/app:2.0", Deployments.ImageOf(job!.Spec.Template));
        Assert.Equal(["db", "migrate"], job.Spec.Template.Spec.Containers[0].Args);
        await world.UntilStatus("chat", s => s.State == MattermostState.Reconciling && s.Error is null);
        Assert.Equal("example/app:1.0", await Image(world));

        await world.Change("chat", """{"version":"3.0"}""");
        job = await world.Until(
            ResourceKinds.Jobs, Names.UpdateJob,
            j => IsTakenUp(j) && Deployments.ImageOf(j!.Spec.Template) == "example/app:3.0");
        Assert.Equal("example/app:1.0", await Image(world));

        await Finish(world, "Complete");
        await world.Until(
            ResourceKinds.Deployments, "chat", d => Deployments.ImageOf(d?.Spec.Template) == "example/app:3.0");
        await world.Until(ResourceKinds.Jobs, Names.UpdateJob, j => j is null);
    }

    [Fact]
    public async Task A_migration_that_failed_is_told_and_the_old_version_stays()
    {
        await using var world = await World.Start(nodes: 0);
        await world.StartOperator();
        await world.Create("chat");
        await world.Until(ResourceKinds.Deployments, "chat", d => d is not null);
        await world.Change("chat", """{"version":"2.0"}""");
        await world.Until(ResourceKinds.Jobs, Names.UpdateJob, IsTakenUp);

        await Finish(world, "Failed");

        var chat = await world.UntilStatus("chat", s => s.Error is not null);
        Assert.Contains("could not migrate", chat.Status!.Error, StringComparison.Ordinal);
        Assert.Equal(MattermostState.Reconciling, chat.Status.State);
        Assert.Equal("example/app:1.0", await Image(world));
    }

    [Fact]
    public async Task A_missing_secret_is_told_and_its_arrival_is_noticed()
    {
        await using var world = await World.Start();
        await world.StartOperator();
        await world.Create("chat", withSecret: false);
        var chat = await world.UntilStatus("chat", s => s.Error is not null);
        Assert.Contains("'chat-database'", chat.Status!.Error, StringComparison.Ordinal);
        Assert.Null(await world.Find(ResourceKinds.Deployments, "chat"));

        await world.CreateSecret("chat-database");

        Assert.Null((await world.UntilStable("chat")).Status!.Error);
    }

    [Theory]
    [InlineData("""{"ingress":{"host":""}}""", "host")]
    [InlineData("""{"volumes":[{"name":"node","hostPath":{"path":"/"}}]}""", "hostPath")]
    [InlineData("""{"fileStore":null}""", "file store")]
    [InlineData("""{"awsLoadBalancerController":{"enabled":true}}""", "at least one host")]
    public async Task A_spec_that_cannot_work_is_refused_with_the_reason(string spec, string part)
    {
        await using var world = await World.Start();
        await world.StartOperator();
        await world.Create("chat", spec);
        var chat = await world.UntilStatus("chat", s => s.Error is not null);
        Assert.Contains(part, chat.Status!.Error, StringComparison.Ordinal);
        Assert.Equal(MattermostState.Reconciling, chat.Status.State);
        Assert.Null(await world.Find(ResourceKinds.Deployments, "chat"));
    }

    [Fact]
    public async Task A_resource_hibernates_and_wakes()
    {
        await using var world = await World.Start();
        await world.StartOperator();
        await world.Create("chat");
        await world.UntilStable("chat");

        await world.Change("chat", """{"replicas":0}""");
        var asleep = await world.UntilStable("chat");
        Assert.Equal((0, 0), (asleep.Status!.Replicas, asleep.Status.UpdatedReplicas));
        Assert.NotNull(await world.Find(ResourceKinds.Ingresses, "chat"));

        await world.Change("chat", """{"replicas":2}""");
        Assert.Equal(2, (await world.UntilStable("chat")).Status!.UpdatedReplicas);
    }

    [Fact]
    public async Task Objects_of_others_are_left_alone_whatever_their_name()
    {
        await using var world = await World.Start();
        await world.Api.Create(
            ResourceKinds.Ingresses,
            new V1Ingress
            {
                Metadata = new V1ObjectMeta
                {
                    Name = "chat",
                    NamespaceProperty = World.Namespace,
                    Labels = new Dictionary<string, string> { [Names.ResourceLabel] = "chat" },
                },
                Spec = new V1IngressSpec { Rules = [new V1IngressRule { Host = "theirs" }] },
            },
            "somebody", Cancellation);
        await world.StartOperator();
        await world.Create("chat", """{"ingress":{"enabled":false}}""");
        await world.UntilStable("chat");
        Assert.NotNull(await world.Find(ResourceKinds.Ingresses, "chat"));
    }

    [Fact]
    public async Task A_place_that_becomes_free_is_given_to_who_waits_at_once()
    {
        await using var world = await World.Start(nodes: 0);
        await world.StartOperator(new OperatorOptions
        {
            Instance = "test", MaxReconcilingInstallations = 1, RequeueOnLimitDelay = TimeSpan.FromHours(1),
        });
        await world.Create("first");
        await world.UntilStatus("first", s => s.State == MattermostState.Reconciling);
        await world.Create("second");
        await world.Change("first", """{"version":"2.0"}""");
        await world.UntilStatus("first", s => s.State == MattermostState.Reconciling);
        Assert.Null((await world.Find(Mattermost.ResourceKind, "second"))!.Status);

        await world.Api.Delete(
            Mattermost.ResourceKind, new ObjectKey(World.Namespace, "first"), null, Cancellation);

        await world.UntilStatus("second", s => s.State == MattermostState.Reconciling);
    }

    [Fact]
    public async Task A_second_operator_takes_over_when_the_first_gives_the_lease_back()
    {
        await using var world = await World.Start();
        var first = await world.StartOperator(
            new OperatorOptions { Instance = "first", EnableLeaderElection = true });
        await world.Create("chat");
        await world.UntilStable("chat");
        await world.StartOperator(new OperatorOptions { Instance = "second", EnableLeaderElection = true });
        await world.StopOperator(first);
        await world.Create("later");
        await world.UntilStable("later");
        var lease = await world.Api.Get(
            ResourceKinds.Leases, new ObjectKey("mattermost-operator", Leading.Elector.LeaseName), Cancellation);
        Assert.Equal("second", lease.Spec.HolderIdentity);
    }

    [Theory]
    [InlineData(503, 0)]
    [InlineData(null, 3_600_000)] // no answer
    public async Task An_operator_that_cannot_renew_its_lease_stops_working_until_it_can(int? errorCode, int latencyMs)
    {
        await using var world = await World.Start();
        var only = await world.StartOperator(
            new OperatorOptions { Instance = "only", EnableLeaderElection = true });
        await world.Create("chat");
        await world.UntilStable("chat");
        var elector = only.Services.GetRequiredService<Leading.Elector>();

        world.Break(new()
        {
            Id = "leases", Resource = "leases.coordination.k8s.io", ErrorCode = errorCode, LatencyMs = latencyMs,
        });
        await world.Until(() => !elector.IsLeading);
        await world.Create("later");
        await world.Change("chat", """{"replicas":2}""");
        Assert.Null((await world.Find(Mattermost.ResourceKind, "later"))!.Status);
        world.Mend("leases");

        await world.UntilStable("later");
        await world.UntilStatus("chat", s => s.UpdatedReplicas == 2);
        Assert.True(elector.IsLeading);
    }

    [Fact]
    public async Task Objects_of_the_predecessor_are_taken_over_without_a_restart_of_pods()
    {
        await using var world = await World.Start();
        var first = await world.StartOperator();
        await world.Create("chat");
        await world.UntilStable("chat");
        await world.StopOperator(first);
        // As the predecessor left it: one plain update by another manager, its bookkeeping, and a label since dropped.
        var old = await world.Find(ResourceKinds.Deployments, "chat");
        await world.Api.Delete(
            ResourceKinds.Deployments, new ObjectKey(World.Namespace, "chat"), old!.Metadata.Uid, Cancellation);
        await world.Until(ResourceKinds.Deployments, "chat", d => d is null);
        old.Metadata.ResourceVersion = null;
        old.Metadata.Uid = null;
        old.Metadata.ManagedFields = null;
        old.Status = null;
        old.Metadata.Annotations = new Dictionary<string, string> { [Names.PredecessorAnnotation] = "UEsDBA==" };
        old.Metadata.Labels["since-dropped"] = "x";
        await world.Api.Create(ResourceKinds.Deployments, old, "mattermost-operator", Cancellation);
        await world.Until(ResourceKinds.Deployments, "chat", d => d?.Status?.AvailableReplicas == 1);

        await world.StartOperator();

        var taken = await world.Until(
            ResourceKinds.Deployments, "chat",
            d => d is not null && !d.Metadata.Annotations.ContainsKey(Names.PredecessorAnnotation)
                && !d.Metadata.Labels.ContainsKey("since-dropped"));
        Assert.Equal("1", taken!.Metadata.Annotations["deployment.kubernetes.io/revision"]);
        Assert.DoesNotContain(taken.Metadata.ManagedFields, f => f.Manager == "mattermost-operator");
    }

    private static async Task AssertOwned<T>(World world, Mattermost chat, ResourceKind<T> kind)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var child = await world.Find(kind, "chat");
        Assert.NotNull(child);
        var owner = Assert.Single(child.Metadata.OwnerReferences);
        Assert.Equal((chat.Metadata.Uid, true, true), (owner.Uid, owner.Controller, owner.BlockOwnerDeletion));
        Assert.Equal("chat", child.Metadata.Labels[Names.ResourceLabel]);
    }

    private static async Task<string?> Image(World world) =>
        Deployments.ImageOf((await world.Find(ResourceKinds.Deployments, "chat"))!.Spec.Template);

    /// <summary>Ends the update Job as a node would, in a cluster that has none.</summary>
    /// <summary>The cluster's own controller has had its first word, so it does not talk over ours.</summary>
    private static bool IsTakenUp(V1Job? job) => job?.Status?.StartTime is not null;

    private static Task<V1Job> Finish(World world, string condition) => world.Api.MergePatch(
        ResourceKinds.Jobs, new ObjectKey(World.Namespace, Names.UpdateJob),
        JsonNode.Parse($$$"""
            {"status":{"conditions":[{"type":"{{{condition}}}","status":"True","message":"as told",
             "lastProbeTime":"2026-01-01T00:00:00Z","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}
            """)!.AsObject(),
        "node", "status", Cancellation);

    private static async Task<IReadOnlyList<string?>> Versions(World world) =>
    [
        await Version(world, Mattermost.ResourceKind), await Version(world, ResourceKinds.Deployments),
        await Version(world, ResourceKinds.Services), await Version(world, ResourceKinds.Ingresses),
        await Version(world, ResourceKinds.ServiceAccounts), await Version(world, ResourceKinds.Roles),
        await Version(world, ResourceKinds.RoleBindings),
        await Version(world, ResourceKinds.PersistentVolumeClaims),
    ];

    private static async Task<string?> Version<T>(World world, ResourceKind<T> kind)
        where T : class, IKubernetesObject<V1ObjectMeta> =>
        (await world.Find(kind, "chat"))?.Metadata.ResourceVersion;

    private static JsonObject Affinity(string? nodeAffinity) => new()
    {
        ["spec"] = new JsonObject
        {
            ["scheduling"] = new JsonObject { ["affinity"] = new JsonObject { ["nodeAffinity"] = nodeAffinity } },
        },
    };
}
