using System.Net;
using Xunit;
using static Cloud.Simulator.Tests.ApiServers.Manifests;

namespace Cloud.Simulator.Tests.ApiServers;

public sealed class Writing : IAsyncLifetime
{
    private RunningCluster _cluster = null!;

    public async ValueTask InitializeAsync() => _cluster = await RunningCluster.StartAsync();

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    [Fact]
    public async Task A_created_object_has_metadata_and_defaults()
    {
        var made = await _cluster.PostAsync(Deployments, Web);
        Assert.Equal(HttpStatusCode.Created, made.Code);
        Assert.Equal("default", made.At("metadata", "namespace"));
        Assert.Equal("1", made.At("metadata", "generation"));
        Assert.Equal("1", made.At("spec", "replicas"));
        Assert.Equal("25%", made.At("spec", "strategy", "rollingUpdate", "maxSurge"));
        Assert.Equal("IfNotPresent", made.At("spec", "template", "spec", "containers", "0", "imagePullPolicy"));
        Assert.Equal("TCP", made.At("spec", "template", "spec", "containers", "0", "ports", "0", "protocol"));
    }

    [Fact]
    public async Task A_name_can_be_generated()
    {
        var made = await _cluster.PostAsync(ConfigMaps, """{"metadata":{"generateName":"a-"}}""");
        Assert.StartsWith("a-", made.At("metadata", "name"), StringComparison.Ordinal);
        Assert.Equal(7, made.At("metadata", "name")!.Length);
    }

    [Fact]
    public async Task Creating_twice_is_refused()
    {
        await _cluster.PostAsync(ConfigMaps, ConfigMap("a"));
        var again = await _cluster.PostAsync(ConfigMaps, ConfigMap("a"));
        Assert.Equal(HttpStatusCode.Conflict, again.Code);
        Assert.Equal("AlreadyExists", again.Reason);
        Assert.Equal("configmaps \"a\" already exists", again.Message);
    }

    [Fact]
    public async Task What_is_missing_is_not_found_by_name_and_kind()
    {
        var missing = await _cluster.GetAsync(Deployments + "/nope");
        Assert.Equal(HttpStatusCode.NotFound, missing.Code);
        Assert.Equal("deployments.apps \"nope\" not found", missing.Message);
        Assert.Equal("apps", missing.At("details", "group"));
        Assert.Equal("deployments", missing.At("details", "kind"));
        var nowhere = await _cluster.PostAsync("api/v1/namespaces/nope/configmaps", """{"metadata":{"name":"a"}}""");
        Assert.Equal("namespaces \"nope\" not found", nowhere.Message);
    }

    [Fact]
    public async Task A_stale_update_conflicts()
    {
        var made = await _cluster.PostAsync(ConfigMaps, ConfigMap("a", """{"k":"1"}"""));
        await _cluster.MergeAsync(ConfigMaps + "/a", """{"data":{"k":"2"}}""");
        var stale = await _cluster.PutAsync(ConfigMaps + "/a", made.Json);
        Assert.Equal(HttpStatusCode.Conflict, stale.Code);
        Assert.Equal(
            "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your " +
            "changes to the latest version and try again", stale.Message);
    }

    [Fact]
    public async Task Status_and_spec_are_written_apart_and_only_the_spec_counts_generations()
    {
        await _cluster.PostAsync(Deployments, Web);
        var status = await _cluster.MergeAsync(Deployments + "/web/status",
            """{"status":{"replicas":3},"spec":{"replicas":9}}""");
        Assert.Equal(("3", "1", "1"),
            (status.At("status", "replicas"), status.At("spec", "replicas"), status.At("metadata", "generation")));
        var spec = await _cluster.MergeAsync(Deployments + "/web",
            """{"status":{"replicas":7},"spec":{"replicas":2}}""");
        Assert.Equal(("3", "2", "2"),
            (spec.At("status", "replicas"), spec.At("spec", "replicas"), spec.At("metadata", "generation")));
        var labels = await _cluster.MergeAsync(Deployments + "/web", """{"metadata":{"labels":{"a":"b"}}}""");
        Assert.Equal("2", labels.At("metadata", "generation"));
    }

    [Fact]
    public async Task A_write_that_changes_nothing_keeps_the_revision()
    {
        var made = await _cluster.PostAsync(ConfigMaps, ConfigMap("a", """{"k":"1"}"""));
        var same = await _cluster.MergeAsync(ConfigMaps + "/a", """{"data":{"k":"1"}}""");
        Assert.Equal(made.Revision, same.Revision);
    }

    [Fact]
    public async Task Finalizers_hold_a_deleted_object()
    {
        await _cluster.PostAsync(ConfigMaps, """{"metadata":{"name":"a","finalizers":["example.com/hold"]}}""");
        var held = await _cluster.DeleteAsync(ConfigMaps + "/a");
        Assert.NotNull(held.At("metadata", "deletionTimestamp"));
        var more = await _cluster.MergeAsync(ConfigMaps + "/a",
            """{"metadata":{"finalizers":["example.com/hold","example.com/more"]}}""");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, more.Code);
        await _cluster.MergeAsync(ConfigMaps + "/a", """{"metadata":{"finalizers":null}}""");
        Assert.Equal(HttpStatusCode.NotFound, (await _cluster.GetAsync(ConfigMaps + "/a")).Code);
    }

    [Fact]
    public async Task Deleting_names_what_it_is_about()
    {
        var made = await _cluster.PostAsync(ConfigMaps, ConfigMap("a"));
        var wrong = await _cluster.DeleteAsync(ConfigMaps + "/a", """{"preconditions":{"uid":"another"}}""");
        Assert.Equal(HttpStatusCode.Conflict, wrong.Code);
        var gone = await _cluster.DeleteAsync(ConfigMaps + "/a");
        Assert.Equal("Success", gone.At("status"));
        Assert.Equal(made.At("metadata", "uid"), gone.At("details", "uid"));
    }

    [Fact]
    public async Task A_dry_run_changes_nothing()
    {
        var made = await _cluster.PostAsync(ConfigMaps + "?dryRun=All", ConfigMap("a"));
        Assert.Equal(HttpStatusCode.Created, made.Code);
        Assert.Equal(HttpStatusCode.NotFound, (await _cluster.GetAsync(ConfigMaps + "/a")).Code);
        await _cluster.PostAsync(ConfigMaps, ConfigMap("a"));
        await _cluster.DeleteAsync(ConfigMaps + "/a?dryRun=All");
        Assert.Equal(HttpStatusCode.OK, (await _cluster.GetAsync(ConfigMaps + "/a")).Code);
    }

    [Fact]
    public async Task A_terminating_namespace_takes_nothing_new()
    {
        await _cluster.NamespaceAsync("going");
        var marked = await _cluster.DeleteAsync("api/v1/namespaces/going");
        Assert.Equal("Terminating", marked.At("status", "phase"));
        var refused = await _cluster.PostAsync("api/v1/namespaces/going/configmaps", """{"metadata":{"name":"a"}}""");
        Assert.Equal(HttpStatusCode.Forbidden, refused.Code);
        Assert.Equal(
            "configmaps \"a\" is forbidden: unable to create new content in namespace going because it is being " +
            "terminated",
            refused.Message);
        var finalized = await _cluster.PutAsync("api/v1/namespaces/going/finalize",
            RunningCluster.Parse(
                """{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"going"},"spec":{"finalizers":[]}}"""));
        Assert.Equal(HttpStatusCode.OK, finalized.Code);
        Assert.Equal(HttpStatusCode.NotFound, (await _cluster.GetAsync("api/v1/namespaces/going")).Code);
    }

    [Fact]
    public async Task A_service_gets_an_address_and_keeps_it()
    {
        const string path = "api/v1/namespaces/default/services";
        var made = await _cluster.PostAsync(path, """{"metadata":{"name":"s"},"spec":{"ports":[{"port":80}]}}""");
        var address = made.At("spec", "clusterIP");
        Assert.StartsWith("10.", address, StringComparison.Ordinal);
        Assert.Equal("80", made.At("spec", "ports", "0", "targetPort"));
        var refused = await _cluster.MergeAsync(path + "/s", """{"spec":{"clusterIP":"10.0.0.9"}}""");
        Assert.Contains("may not change once set", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Plain_text_of_a_secret_is_encoded()
    {
        var made = await _cluster.PostAsync("api/v1/namespaces/default/secrets",
            """{"metadata":{"name":"s"},"stringData":{"password":"secret"}}""");
        Assert.Equal("c2VjcmV0", made.At("data", "password"));
        Assert.Equal("Opaque", made.At("type"));
        Assert.Null(made.At("stringData"));
    }

    [Fact]
    public async Task A_collection_is_deleted_by_selector()
    {
        await _cluster.PostAsync(ConfigMaps, ConfigMap("a", labels: """{"x":"1"}"""));
        await _cluster.PostAsync(ConfigMaps, ConfigMap("b", labels: """{"x":"2"}"""));
        await _cluster.DeleteAsync(ConfigMaps + "?labelSelector=x%3D1");
        var left = await _cluster.GetAsync(ConfigMaps);
        Assert.Equal("b", left.At("items", "0", "metadata", "name"));
        Assert.Single(left.Json["items"]!.AsArray());
    }

    [Fact]
    public async Task A_pod_on_a_node_is_given_time()
    {
        const string path = "api/v1/namespaces/default/pods";
        await _cluster.PostAsync(path,
            """{"metadata":{"name":"p"},"spec":{"nodeName":"n","containers":[{"name":"c","image":"i"}]}}""");
        var marked = await _cluster.DeleteAsync(path + "/p");
        Assert.Equal("30", marked.At("metadata", "deletionGracePeriodSeconds"));
        await _cluster.DeleteAsync(path + "/p", """{"gracePeriodSeconds":0}""");
        Assert.Equal(HttpStatusCode.NotFound, (await _cluster.GetAsync(path + "/p")).Code);
    }
}
