using System.Net;
using Xunit;
using static Cloud.Simulator.Tests.ApiServers.Manifests;

namespace Cloud.Simulator.Tests.ApiServers;

public sealed class Refusing : IAsyncLifetime
{
    private RunningCluster _cluster = null!;

    public async ValueTask InitializeAsync() => _cluster = await RunningCluster.StartAsync();

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    [Fact]
    public async Task A_wrong_token_is_refused()
    {
        _cluster.Http.DefaultRequestHeaders.Authorization = new("Bearer", "wrong");
        var refused = await _cluster.GetAsync("api/v1/namespaces");
        Assert.Equal(HttpStatusCode.Unauthorized, refused.Code);
        Assert.Equal("Unauthorized", refused.Message);
    }

    [Fact]
    public async Task A_bad_name_is_named_as_such()
    {
        var refused = await _cluster.PostAsync(ConfigMaps, ConfigMap("Not_Good"));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.Code);
        Assert.StartsWith(
            "ConfigMap \"Not_Good\" is invalid: metadata.name: Invalid value: \"Not_Good\": a lowercase RFC 1123 " +
            "subdomain",
            refused.Message, StringComparison.Ordinal);
        Assert.Equal("metadata.name", refused.At("details", "causes", "0", "field"));
    }

    [Fact]
    public async Task Every_mistake_is_named_at_once()
    {
        var refused = await _cluster.PostAsync(Deployments, """
            {"metadata":{"name":"x"},"spec":{"replicas":-1,"selector":{"matchLabels":{"a":"b"}},
             "template":{"metadata":{"labels":{"a":"c"}},"spec":{"containers":[{"name":"c"}]}}}}
            """);
        Assert.Contains("spec.replicas: Invalid value: -1: must be greater than or equal to 0", refused.Message,
            StringComparison.Ordinal);
        Assert.Contains("`selector` does not match template `labels`", refused.Message, StringComparison.Ordinal);
        Assert.Contains("spec.template.spec.containers[0].image: Required value", refused.Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_selector_of_a_deployment_stays()
    {
        await _cluster.PostAsync(Deployments, Web);
        var refused = await _cluster.MergeAsync(Deployments + "/web",
            """{"spec":{"selector":{"matchLabels":{"app":"x"}},"template":{"metadata":{"labels":{"app":"x"}}}}}""");
        Assert.Equal(
            "Deployment.apps \"web\" is invalid: spec.selector: Invalid value: {\"matchLabels\":{\"app\":\"x\"}}: " +
            "field is immutable",
            refused.Message);
    }

    [Fact]
    public async Task A_value_of_the_wrong_type_is_a_bad_request()
    {
        var refused = await _cluster.PostAsync(Deployments,
            Web.Replace("\"spec\":{\"selector\"", "\"spec\":{\"replicas\":\"two\",\"selector\"",
            StringComparison.Ordinal));
        Assert.Equal(HttpStatusCode.BadRequest, refused.Code);
        Assert.Equal(
            "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot unmarshal string into Go " +
            "struct " +
            "field DeploymentSpec.spec.replicas of type int32", refused.Message);
    }

    [Fact]
    public async Task Unknown_fields_are_warned_of_refused_or_dropped()
    {
        var body = """{"metadata":{"name":"x"},"dta":{"a":"b"}}""";
        var warned = await _cluster.PostAsync(ConfigMaps, body);
        Assert.Equal(["299 - \"unknown field \\\"dta\\\"\""], warned.Warnings);
        Assert.Null(warned.At("dta"));
        var refused = await _cluster.PostAsync(ConfigMaps + "?fieldValidation=Strict", body);
        Assert.Equal(
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field " +
            "\"dta\"",
            refused.Message);
        var ignored = await _cluster.PutAsync(ConfigMaps + "/x?fieldValidation=Ignore", RunningCluster.Parse(body));
        Assert.Empty(ignored.Warnings);
    }

    [Fact]
    public async Task Unknown_resources_and_methods_are_told_apart()
    {
        var unknown = await _cluster.GetAsync("apis/nope.io/v1/things");
        Assert.Equal("the server could not find the requested resource", unknown.Message);
        var method = await _cluster.PutAsync(ConfigMaps, RunningCluster.Parse("{}"));
        Assert.Equal(HttpStatusCode.MethodNotAllowed, method.Code);
        var media = await _cluster.SendAsync(HttpMethod.Patch, ConfigMaps + "/x", "{}", "application/json");
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, media.Code);
    }

    [Fact]
    public async Task An_immutable_secret_stays()
    {
        const string path = "api/v1/namespaces/default/secrets";
        await _cluster.PostAsync(path, """{"metadata":{"name":"s"},"immutable":true,"stringData":{"a":"1"}}""");
        var refused = await _cluster.MergeAsync(path + "/s", """{"stringData":{"a":"2"}}""");
        Assert.Equal("Secret \"s\" is invalid: data: Forbidden: field is immutable when `immutable` is set",
            refused.Message);
    }

    [Fact]
    public async Task Faults_make_requests_fail_as_often_as_they_say()
    {
        _cluster.Cluster.Faults.Put(
            new() { Id = "one", Verb = "list", Resource = "configmaps", ErrorCode = 503, Count = 1 });
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await _cluster.GetAsync(ConfigMaps)).Code);
        Assert.Equal(HttpStatusCode.OK, (await _cluster.GetAsync(ConfigMaps)).Code);
        var put = await _cluster.SendAsync(HttpMethod.Put, "/simulator/clusters/test/faults/cut",
            """{"verb":"get","cutConnection":true}""");
        Assert.Equal(HttpStatusCode.OK, put.Code);
        await Assert.ThrowsAsync<HttpRequestException>(() => _cluster.GetAsync(ConfigMaps + "/a"));
    }

    [Fact]
    public async Task Rights_name_verbs_groups_and_resources()
    {
        var refused = await _cluster.PostAsync("apis/rbac.authorization.k8s.io/v1/clusterroles",
            """{"metadata":{"name":"r"},"rules":[{"apiGroups":[],"resources":[],"verbs":[]}]}""");
        Assert.Equal(
            "ClusterRole.rbac.authorization.k8s.io \"r\" is invalid: [" +
            "rules[0].verbs: Required value: verbs must contain at least one value, " +
            "rules[0].apiGroups: Required value: resource rules must supply at least one api group, " +
            "rules[0].resources: Required value: resource rules must supply at least one resource]", refused.Message);
    }

    [Fact]
    public async Task A_disruption_budget_has_one_bound()
    {
        var refused = await _cluster.PostAsync("apis/policy/v1/namespaces/default/poddisruptionbudgets",
            """{"metadata":{"name":"b"},"spec":{"minAvailable":1,"maxUnavailable":1,"selector":{}}}""");
        Assert.Contains("minAvailable and maxUnavailable cannot be both set", refused.Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_eviction_keeps_to_the_disruption_budget()
    {
        const string pods = "api/v1/namespaces/default/pods";
        const string budgets = "apis/policy/v1/namespaces/default/poddisruptionbudgets";
        const string eviction = """{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"p"}}""";
        await _cluster.PostAsync(pods, """
            {"metadata":{"name":"p","labels":{"app":"x"}},"spec":{"containers":[{"name":"c","image":"i"}]}}
            """);
        await _cluster.MergeAsync(pods + "/p/status",
            """{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}""");
        await _cluster.PostAsync(budgets,
            """{"metadata":{"name":"b"},"spec":{"minAvailable":1,"selector":{"matchLabels":{"app":"x"}}}}""");

        var refused = await _cluster.PostAsync(pods + "/p/eviction", eviction);
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.Code);
        Assert.Equal("Cannot evict pod as it would violate the pod's disruption budget.", refused.Message);
        Assert.Equal("DisruptionBudget", refused.At("details", "causes", "0", "reason"));

        await _cluster.MergeAsync(budgets + "/b/status", """{"status":{"disruptionsAllowed":1}}""");
        Assert.Equal(HttpStatusCode.Created, (await _cluster.PostAsync(pods + "/p/eviction", eviction)).Code);
    }
}
