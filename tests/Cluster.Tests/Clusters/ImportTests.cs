using System.Text.Json.Nodes;
using Cloud.Protos.Cluster.V1;
using Cloud.ServiceDefaults.Storage;
using Cloud.Simulator.ApiServers;
using Grpc.Core;
using Xunit;

namespace Cloud.ClusterTests.Clusters;

public sealed class ImportTests(ClusterWorld world) : IClassFixture<ClusterWorld>, IAsyncDisposable
{
    private const string AlreadyImported = "CLUSTER_ALREADY_IMPORTED";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>Each test imports anew.</summary>
    public async ValueTask DisposeAsync() => await world.LetClustersGoAsync(Ct);

    [Fact]
    public async Task An_imported_cluster_gets_the_operator_and_becomes_stable()
    {
        var imported = await world.ImportAsync("large", Ct);
        Assert.Equal("creation-requested", imported.State);
        Assert.True(imported.AllowInstallations);
        Assert.Equal(80, imported.UtilizationThresholdPercent);

        var stable = await world.ClusterUntilAsync(imported.Name, c => c.State == "stable", Ct);
        var seen = await world.ClusterSeenAsync(imported.Name, Ct);

        Assert.Equal("cloud/operator:dev", stable.OperatorImage);
        Assert.StartsWith("v1.", seen.KubernetesVersion, StringComparison.Ordinal);
        var capacity = seen.Capacity;
        Assert.Equal(
            (8, 64000L, 4000), (capacity.Nodes, capacity.CpuMillisAllocatable, capacity.PodsAllocatable));
        var api = world.Cluster("large").Api;
        Assert.NotNull(api.Get("customresourcedefinitions.apiextensions.k8s.io", null, ClusterWorld.Resources));
        Assert.NotNull(api.Get("deployments.apps", "mattermost-operator", "mattermost-operator"));
        Assert.NotNull(api.Get("clusterroles.rbac.authorization.k8s.io", null, "mattermost-operator"));
    }

    [Fact]
    public async Task Several_mistakes_are_told_at_once()
    {
        var refusal = await Refusal.OfAsync(world.Clusters.ImportClusterAsync(
            new ImportClusterRequest
            {
                Cluster = new Cluster { DisplayName = " ", UtilizationThresholdPercent = 5 },
                Kubeconfig = "current-context: c\ncontexts:\n- {name: c, context: {cluster: x, user: y}}",
            },
            cancellationToken: Ct));

        Assert.Equal(StatusCode.InvalidArgument, refusal.Code);
        Assert.Equal(
            ["cluster.display_name", "cluster.utilization_threshold_percent", "kubeconfig", "kubeconfig"],
            refusal.Fields);
    }

    [Fact]
    public async Task More_changes_at_once_than_there_are_connections_take_turns()
    {
        var imported = await world.ImportAsync("large", Ct);
        await world.ClusterSeenAsync(imported.Name, Ct, c => c.State == "stable" && c.Capacity.Nodes == 8);
        await using var small = world.Start(connectionsMax: 6);
        var client = new ClusterService.ClusterServiceClient(small.Channel);

        var changed = await Task.WhenAll(Enumerable.Range(0, 30).Select(n => client.UpdateClusterAsync(
            new UpdateClusterRequest
            {
                Cluster = new Cluster { Name = imported.Name, UtilizationThresholdPercent = 50 + n },
                UpdateMask = new() { Paths = { "utilization_threshold_percent" } },
                RequestId = $"at-once-{n}",
            },
            cancellationToken: Ct).ResponseAsync));

        Assert.Equal(
            Enumerable.Range(50, 30), changed.Select(c => c.UtilizationThresholdPercent).Order());
        Assert.All(changed, c => Assert.Equal(8, c.Capacity.Nodes));
    }

    [Fact]
    public async Task A_kubeconfig_that_is_only_checked_leaves_nothing()
    {
        var checkedOnly = await world.Clusters.ImportClusterAsync(
            new ImportClusterRequest
            {
                Cluster = new Cluster { DisplayName = "only checked" }, Kubeconfig = world.Kubeconfig("large"),
                ValidateOnly = true,
            },
            cancellationToken: Ct);

        Assert.Equal("", checkedOnly.Name);
        var all = await world.Clusters.ListClustersAsync(new(), cancellationToken: Ct);
        Assert.DoesNotContain(all.Clusters, c => c.DisplayName == "only checked");
    }

    [Fact]
    public async Task A_name_that_is_taken_is_refused()
    {
        var first = await world.ImportAsync("large", Ct);
        var refusal = await Refusal.OfAsync(world.Clusters.ImportClusterAsync(
            new ImportClusterRequest
            {
                Cluster = new Cluster { DisplayName = first.DisplayName }, Kubeconfig = world.Kubeconfig("large"),
            },
            cancellationToken: Ct));

        Assert.Equal((StatusCode.AlreadyExists, "DISPLAY_NAME_TAKEN"), (refusal.Code, refusal.Reason));
    }

    [Fact]
    public async Task A_cluster_that_does_not_let_us_in_fails_at_once_and_recovers_with_good_credentials()
    {
        var imported = await world.ImportAsync("large", Ct, token: "wrong");
        var failed = await world.ClusterUntilAsync(imported.Name, c => c.State == "creation-failed", Ct);
        Assert.Equal("CLUSTER_UNAUTHORIZED", failed.Progress.LastError.Code);
        Assert.False(failed.Progress.LastError.Retryable);

        var why = await world.Clusters.WhyClusterAsync(new() { Name = imported.Name }, cancellationToken: Ct);
        Assert.Contains("UpdateCluster", Assert.Single(why.Chain).Advice[0], StringComparison.Ordinal);

        await world.Clusters.UpdateClusterAsync(
            new UpdateClusterRequest
            {
                Cluster = new Cluster { Name = imported.Name }, Kubeconfig = world.Kubeconfig("large"),
            },
            cancellationToken: Ct);
        await world.ClusterUntilAsync(imported.Name, c => c.State == "stable", Ct);
    }

    [Fact]
    public async Task A_cluster_that_is_silent_is_tried_again_and_says_so()
    {
        var imported = await world.ImportAsync("large", Ct, server: "http://127.0.0.1:1/");
        var silent = await world.ClusterSeenAsync(imported.Name, Ct, c => c.Progress.LastError is not null
            && c.UnreachableReason.Contains("refused", StringComparison.OrdinalIgnoreCase));

        Assert.Equal("creation-requested", silent.State);
        Assert.Equal("CLUSTER_UNREACHABLE", silent.Progress.LastError.Code);
        Assert.True(silent.Progress.LastError.Retryable);
        Assert.False(silent.Reachable);
        var http = world.Service.Http;
        var health = await http.GetStringAsync(new Uri("/health", UriKind.Relative), Ct);
        Assert.StartsWith("{\"status\":\"degraded\"", health, StringComparison.Ordinal);
        Assert.Contains($"These do not: {silent.DisplayName} (", health, StringComparison.Ordinal);

        await world.Clusters.DeleteClusterAsync(new() { Name = imported.Name }, cancellationToken: Ct);
        await world.ClusterUntilAsync(imported.Name, c => c.State == "deleted", Ct);
    }

    [Fact]
    public async Task A_cluster_that_is_imported_already_is_refused_by_the_name_of_the_first()
    {
        var first = await world.StableClusterAsync("large", Ct);
        var second = await world.ImportAsync("large", Ct);
        var refused = await world.ClusterUntilAsync(second.Name, c => c.State == "creation-failed", Ct);

        Assert.Equal(AlreadyImported, refused.Progress.LastError.Code);
        Assert.False(refused.Progress.LastError.Retryable);
        Assert.Contains(first.Name, refused.Progress.LastError.Message, StringComparison.Ordinal);
        Assert.Contains(first.DisplayName, refused.Progress.LastError.Message, StringComparison.Ordinal);

        // Letting the second one go leaves the first one what it needs.
        await world.Clusters.DeleteClusterAsync(new() { Name = second.Name }, cancellationToken: Ct);
        await world.ClusterUntilAsync(second.Name, c => c.State == "deleted", Ct);
        Assert.NotNull(
            world.Cluster("large").Api.Get("deployments.apps", "mattermost-operator", "mattermost-operator"));
    }

    [Fact]
    public async Task Of_imports_of_one_cluster_at_once_one_is_taken_in()
    {
        var imported = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => world.ImportAsync("large", Ct)));
        var ended = await Task.WhenAll(imported.Select(
            one => world.ClusterUntilAsync(one.Name, c => c.State is "stable" or "creation-failed", Ct)));

        Assert.Single(ended, c => c.State == "stable");
        Assert.All(
            ended.Where(c => c.State != "stable"),
            c => Assert.Equal(AlreadyImported, c.Progress.LastError.Code));
    }

    [Fact]
    public async Task A_new_kubeconfig_must_not_lead_to_a_cluster_that_another_row_has()
    {
        await world.StableClusterAsync("large", Ct);
        var other = await world.StableClusterAsync("small", Ct);
        await world.Clusters.UpdateClusterAsync(
            new UpdateClusterRequest
            {
                Cluster = new Cluster { Name = other.Name }, Kubeconfig = world.Kubeconfig("large"),
            },
            cancellationToken: Ct);
        var failed = await world.ClusterUntilAsync(other.Name, c => c.State == "provisioning-failed", Ct);
        Assert.Equal(AlreadyImported, failed.Progress.LastError.Code);

        await world.Clusters.UpdateClusterAsync(
            new UpdateClusterRequest
            {
                Cluster = new Cluster { Name = other.Name }, Kubeconfig = world.Kubeconfig("small"),
            },
            cancellationToken: Ct);
        await world.ClusterUntilAsync(other.Name, c => c.State == "stable", Ct);
    }

    [Fact]
    public async Task A_right_that_is_missing_is_named()
    {
        var cluster = world.Cluster("small");
        cluster.Faults.Put(new FaultRule
        {
            Id = "no-roles", Verb = "create", Resource = "clusterroles.rbac.authorization.k8s.io", ErrorCode = 403,
        });
        var imported = await world.ImportAsync("small", Ct);
        var failed = await world.ClusterUntilAsync(imported.Name, c => c.State == "provisioning-failed", Ct);
        Assert.Equal("CLUSTER_FORBIDDEN", failed.Progress.LastError.Code);

        cluster.Faults.Remove("no-roles");
        await world.Clusters.ProvisionClusterAsync(new() { Name = imported.Name }, cancellationToken: Ct);
        await world.ClusterUntilAsync(imported.Name, c => c.State == "stable", Ct);
    }

    [Fact]
    public async Task An_operator_removed_by_hand_is_installed_again()
    {
        var stable = await world.StableClusterAsync("large", Ct);
        var api = world.Cluster("large").Api;
        api.Delete("deployments.apps", "mattermost-operator", "mattermost-operator");

        await world.ClusterUntilAsync(stable.Name, c => c.State == "provision-in-progress", Ct);
        await world.ClusterUntilAsync(stable.Name, c => c.State == "stable", Ct);
        Assert.NotNull(api.Get("deployments.apps", "mattermost-operator", "mattermost-operator"));
    }

    [Fact]
    public async Task A_foreign_definition_stays_as_it_is_and_a_foreign_operator_is_replaced()
    {
        await using var used = await ClusterWorld.OfAsync(new ClusterSettings
        {
            Name = "used", Nodes = 1, Pods = 20, PodStartDelay = TimeSpan.FromMilliseconds(20),
        });
        var api = used.Cluster("used").Api;
        api.Create("customresourcedefinitions.apiextensions.k8s.io", ForeignDefinition(), "kubectl");
        api.Create("namespaces", Parse(
            """{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"mattermost-operator"}}"""), "kubectl");
        api.Create("deployments.apps", ForeignOperator(), "kubectl");

        var imported = await used.ImportAsync("used", Ct);
        await used.ClusterUntilAsync(imported.Name, c => c.State == "stable", Ct);

        var definition = api.Get("customresourcedefinitions.apiextensions.k8s.io", null, ClusterWorld.Resources)!;
        Assert.Contains("onlyTheirs", definition["spec"]!.ToJsonString(), StringComparison.Ordinal);
        Assert.DoesNotContain("cloud-cluster-service", definition["metadata"]!.ToJsonString(),
            StringComparison.Ordinal);
        var spec = api.Get("deployments.apps", "mattermost-operator", "mattermost-operator")!["spec"]!;
        Assert.Null(spec["selector"]!["matchLabels"]!["theirs"]);
        Assert.Null(spec["template"]!["spec"]!["containers"]![0]!["command"]);

        // Let go, it loses what we brought, and keeps what was there.
        api.Create("clusterrolebindings.rbac.authorization.k8s.io", Parse(
            """
            {"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"theirs"},
            "roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"mattermost-operator"}}
            """), "kubectl");
        await used.Clusters.DeleteClusterAsync(new() { Name = imported.Name }, cancellationToken: Ct);
        await used.ClusterUntilAsync(imported.Name, c => c.State == "deleted", Ct);
        Assert.NotNull(api.Get("namespaces", null, "mattermost-operator"));
        Assert.NotNull(api.Get("clusterrolebindings.rbac.authorization.k8s.io", null, "theirs"));
        Assert.Null(api.Get("deployments.apps", "mattermost-operator", "mattermost-operator"));
        Assert.Null(api.Get("serviceaccounts", "mattermost-operator", "mattermost-operator"));
        Assert.Null(api.Get("clusterroles.rbac.authorization.k8s.io", null, "mattermost-operator"));
    }

    [Fact]
    public async Task An_operators_namespace_that_is_going_is_waited_for()
    {
        await using var used = await ClusterWorld.OfAsync(new ClusterSettings
        {
            Name = "used", Nodes = 1, Pods = 20, PodStartDelay = TimeSpan.FromMilliseconds(20),
        });
        var api = used.Cluster("used").Api;
        api.Create("namespaces", Parse(
            """{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"mattermost-operator"}}"""), "kubectl");
        api.Create("configmaps", Parse(
            """
            {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"held","namespace":"mattermost-operator",
            "finalizers":["example.com/held"]}}
            """), "kubectl");
        api.Delete("namespaces", null, "mattermost-operator");

        var imported = await used.ImportAsync("used", Ct);
        var waits = await used.ClusterSeenAsync(imported.Name, Ct,
            c => c.State != "creation-requested" && c.Progress.WaitingFor.Length > 0);

        Assert.Equal("provision-in-progress", waits.State);
        Assert.Contains("namespace is being removed", waits.Progress.WaitingFor, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Verbs_check_etag_state_and_existence()
    {
        var stable = await world.StableClusterAsync("large", Ct);

        var stale = await Refusal.OfAsync(world.Clusters.UpdateClusterAsync(
            new UpdateClusterRequest
            {
                Cluster = new Cluster { Name = stable.Name, Etag = "0" },
                UpdateMask = new() { Paths = { "allow_installations" } },
            },
            cancellationToken: Ct));
        Assert.Equal((StatusCode.Aborted, "ETAG_MISMATCH"), (stale.Code, stale.Reason));

        var unknown = await Refusal.OfAsync(world.Clusters.GetClusterAsync(
            new() { Name = $"clusters/{ResourceId.New()}" }, cancellationToken: Ct));
        Assert.Equal(StatusCode.NotFound, unknown.Code);

        var malformed = await Refusal.OfAsync(world.Clusters.GetClusterAsync(new(), cancellationToken: Ct));
        Assert.Equal((StatusCode.InvalidArgument, "RESOURCE_NAME_INVALID"), (malformed.Code, malformed.Reason));

        var mask = await Refusal.OfAsync(world.Clusters.UpdateClusterAsync(
            new UpdateClusterRequest
            {
                Cluster = new Cluster { Name = stable.Name }, UpdateMask = new() { Paths = { "server" } },
            },
            cancellationToken: Ct));
        Assert.Equal("UPDATE_MASK_INVALID", mask.Reason);
    }

    [Fact]
    public async Task Lists_filter_page_and_refuse_foreign_tokens()
    {
        var one = await world.ImportAsync("large", Ct);
        var two = await world.ImportAsync("large", Ct);
        var seen = new List<string>();
        var token = "";
        do
        {
            var page = await world.Clusters.ListClustersAsync(
                new ListClustersRequest { PageSize = 1, PageToken = token }, cancellationToken: Ct);
            seen.AddRange(page.Clusters.Select(c => c.Name));
            token = page.NextPageToken;
        }
        while (token.Length > 0);
        Assert.Contains(one.Name, seen);
        Assert.Contains(two.Name, seen);
        Assert.Equal(seen.Count, seen.Distinct().Count());

        var first = await world.Clusters.ListClustersAsync(new ListClustersRequest { PageSize = 1 },
            cancellationToken: Ct);
        var foreign = await Refusal.OfAsync(world.Clusters.ListClustersAsync(
            new ListClustersRequest { PageToken = first.NextPageToken, ShowDeleted = true, States = { "nonsense" },
                PageSize = -1 },
            cancellationToken: Ct));
        Assert.Equal(["page_size", "page_token", "states"], foreign.Fields.Order());
    }

    private static JsonObject Parse(string text) => JsonNode.Parse(text)!.AsObject();

    private static JsonObject ForeignDefinition() => Parse("""
        {"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
        "metadata":{"name":"mattermosts.installation.mattermost.com"},
        "spec":{"group":"installation.mattermost.com","scope":"Namespaced",
        "names":{"plural":"mattermosts","singular":"mattermost","kind":"Mattermost","listKind":"MattermostList"},
        "versions":[{"name":"v1beta1","served":true,"storage":true,"subresources":{"status":{}},
        "schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true,
        "properties":{"spec":{"type":"object","x-kubernetes-preserve-unknown-fields":true,
        "properties":{"onlyTheirs":{"type":"string"}}}}}}}]}}
        """);

    private static JsonObject ForeignOperator() => Parse("""
        {"apiVersion":"apps/v1","kind":"Deployment",
        "metadata":{"name":"mattermost-operator","namespace":"mattermost-operator"},
        "spec":{"replicas":1,"selector":{"matchLabels":{"theirs":"yes"}},
        "template":{"metadata":{"labels":{"theirs":"yes"}},
        "spec":{"containers":[{"name":"mattermost-operator","image":"mattermost/mattermost-operator:v1.25.4",
        "command":["/mattermost-operator"]}]}}}}
        """);
}
