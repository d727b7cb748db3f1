using System.Net;
using Xunit;
using static Cloud.Simulator.Tests.ApiServers.Manifests;

namespace Cloud.Simulator.Tests.ApiServers;

public sealed class Patching : IAsyncLifetime
{
    private RunningCluster _cluster = null!;

    public async ValueTask InitializeAsync()
    {
        _cluster = await RunningCluster.StartAsync();
        await _cluster.PostAsync(Deployments, Web);
    }

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    [Fact]
    public async Task A_strategic_patch_merges_lists_by_their_keys()
    {
        var patched = await _cluster.StrategicAsync(Deployments + "/web", """
            {"spec":{"template":{"spec":{"containers":[{"name":"web","image":"nginx:1.26","env":[{"name":"C",
             "value":"3"},
              {"name":"A","$patch":"delete"}]},{"name":"side","image":"s:1"}]}}}}
            """);
        Assert.Equal(2, patched.Json["spec"]!["template"]!["spec"]!["containers"]!.AsArray().Count);
        Assert.Equal("nginx:1.26", patched.At("spec", "template", "spec", "containers", "0", "image"));
        Assert.Equal("B", patched.At("spec", "template", "spec", "containers", "0", "env", "0", "name"));
        Assert.Equal("C", patched.At("spec", "template", "spec", "containers", "0", "env", "1", "name"));
    }

    [Fact]
    public async Task A_strategic_patch_orders_and_replaces_as_it_is_told()
    {
        var ordered = await _cluster.StrategicAsync(Deployments + "/web", """
            {"spec":{"template":{"spec":{"containers":[{"name":"web","$setElementOrder/env":[{"name":"B"},{"name":"A"}],
              "env":[{"name":"A","value":"9"}]}]}}}}
            """);
        Assert.Equal("B", ordered.At("spec", "template", "spec", "containers", "0", "env", "0", "name"));
        Assert.Equal("9", ordered.At("spec", "template", "spec", "containers", "0", "env", "1", "value"));
        var replaced = await _cluster.StrategicAsync(Deployments + "/web",
            """{"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"}}}""");
        Assert.Equal("Recreate", replaced.At("spec", "strategy", "type"));
        Assert.Null(replaced.At("spec", "strategy", "rollingUpdate"));
    }

    [Fact]
    public async Task Values_leave_a_plain_list_one_by_one()
    {
        await _cluster.MergeAsync(Deployments + "/web", """{"metadata":{"finalizers":["a.io/1","a.io/2"]}}""");
        var added = await _cluster.StrategicAsync(Deployments + "/web", """{"metadata":{"finalizers":["a.io/3"]}}""");
        Assert.Equal("""["a.io/1","a.io/2","a.io/3"]""", added.Json["metadata"]!["finalizers"]!.ToJsonString());
        var removed = await _cluster.StrategicAsync(Deployments + "/web",
            """{"metadata":{"$deleteFromPrimitiveList/finalizers":["a.io/1"]}}""");
        Assert.Equal("""["a.io/2","a.io/3"]""", removed.Json["metadata"]!["finalizers"]!.ToJsonString());
    }

    [Fact]
    public async Task A_merge_patch_removes_by_null_and_replaces_lists()
    {
        var patched = await _cluster.MergeAsync(Deployments + "/web",
            """
            {"metadata":{"labels":{"a":"b"}},
             "spec":{"template":{"spec":{"containers":[{"name":"other","image":"o:1"}]}}}}
            """);
        Assert.Single(patched.Json["spec"]!["template"]!["spec"]!["containers"]!.AsArray());
        var removed = await _cluster.MergeAsync(Deployments + "/web", """{"metadata":{"labels":null}}""");
        Assert.Null(removed.At("metadata", "labels"));
    }

    [Fact]
    public async Task A_json_patch_is_all_or_nothing()
    {
        var failed = await _cluster.JsonPatchAsync(Deployments + "/web",
            """
            [{"op":"replace","path":"/spec/replicas","value":5},
             {"op":"test","path":"/spec/paused","value":true}]
            """);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, failed.Code);
        var patched = await _cluster.JsonPatchAsync(Deployments + "/web", """
            [{"op":"test","path":"/spec/replicas","value":1},{"op":"add","path":"/metadata/labels","value":{}},
             {"op":"add","path":"/metadata/labels/a~1b","value":"c"},
             {"op":"move","from":"/spec/template/spec/containers/0/env/0",
              "path":"/spec/template/spec/containers/0/env/1"}]
            """);
        Assert.Equal("c", patched.At("metadata", "labels", "a/b"));
        Assert.Equal("B", patched.At("spec", "template", "spec", "containers", "0", "env", "0", "name"));
    }

    [Fact]
    public async Task A_patch_of_an_older_revision_conflicts()
    {
        var refused = await _cluster.MergeAsync(Deployments + "/web",
            """{"metadata":{"resourceVersion":"1"},"spec":{"replicas":2}}""");
        Assert.Equal(HttpStatusCode.Conflict, refused.Code);
    }

    [Fact]
    public async Task Scaling_goes_through_the_scale_subresource()
    {
        var scale = await _cluster.GetAsync(Deployments + "/web/scale");
        Assert.Equal("Scale", scale.At("kind"));
        Assert.Equal("app=web", scale.At("status", "selector"));
        await _cluster.MergeAsync(Deployments + "/web/scale", """{"spec":{"replicas":4}}""");
        var scaled = await _cluster.GetAsync(Deployments + "/web");
        Assert.Equal(("4", "2"), (scaled.At("spec", "replicas"), scaled.At("metadata", "generation")));
    }
}
