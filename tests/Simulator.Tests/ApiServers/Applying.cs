using System.Net;
using System.Text.Json.Nodes;
using Xunit;
using static Cloud.Simulator.Tests.ApiServers.Manifests;

namespace Cloud.Simulator.Tests.ApiServers;

public sealed class Applying : IAsyncLifetime
{
    private const string Path = ConfigMaps + "/a";
    private RunningCluster _cluster = null!;

    public async ValueTask InitializeAsync() => _cluster = await RunningCluster.StartAsync();

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    [Fact]
    public async Task Applying_creates_and_owns_what_it_states()
    {
        var made = await _cluster.ApplyAsync(Path, "one", ConfigMap("a", """{"x":"1"}"""));
        Assert.Equal(HttpStatusCode.Created, made.Code);
        Assert.Equal("""{"f:data":{"f:x":{}}}""", Fields(made, "one"));
    }

    [Fact]
    public async Task Applying_the_same_again_changes_nothing()
    {
        var made = await _cluster.ApplyAsync(Path, "one", ConfigMap("a", """{"x":"1"}"""));
        var again = await _cluster.ApplyAsync(Path, "one", ConfigMap("a", """{"x":"1"}"""));
        Assert.Equal((HttpStatusCode.OK, made.Revision), (again.Code, again.Revision));
    }

    [Fact]
    public async Task What_an_applier_no_longer_states_goes_unless_somebody_else_states_it()
    {
        await _cluster.ApplyAsync(Path, "one", ConfigMap("a", """{"x":"1","y":"2"}"""));
        await _cluster.ApplyAsync(Path, "two", ConfigMap("a", """{"y":"2"}"""));
        var left = await _cluster.ApplyAsync(Path, "one", ConfigMap("a", """{"z":"3"}"""));
        Assert.Equal("""{"y":"2","z":"3"}""", left.Json["data"]!.ToJsonString());
    }

    [Fact]
    public async Task Changing_what_another_owns_conflicts_and_can_be_forced()
    {
        await _cluster.ApplyAsync(Path, "one", ConfigMap("a", """{"x":"1"}"""));
        var refused = await _cluster.ApplyAsync(Path, "two", ConfigMap("a", """{"x":"2"}"""));
        Assert.Equal(HttpStatusCode.Conflict, refused.Code);
        Assert.Equal("Apply failed with 1 conflict: conflict with \"one\": .data.x", refused.Message);
        Assert.Equal("FieldManagerConflict", refused.At("details", "causes", "0", "reason"));
        var forced = await _cluster.ApplyAsync(Path, "two", ConfigMap("a", """{"x":"2"}"""), force: true);
        Assert.Equal("2", forced.At("data", "x"));
        Assert.Null(Fields(forced, "one"));
    }

    [Fact]
    public async Task A_conflict_with_an_update_says_its_version()
    {
        await _cluster.PostAsync(Deployments + "?fieldManager=someone", Web);
        var refused = await _cluster.ApplyAsync(Deployments + "/web", "one", """
            {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":3,
             "template":{"spec":
              {"containers":[{"name":"web","image":"nginx:2","env":[{"name":"A","value":"7"}]}]}}}}
            """);
        Assert.Equal("Apply failed with 3 conflicts: conflicts with \"someone\" using apps/v1:\n- .spec.replicas\n" +
            "- .spec.template.spec.containers[name=\"web\"].env[name=\"A\"].value\n" +
            "- .spec.template.spec.containers[name=\"web\"].image", refused.Message);
    }

    [Fact]
    public async Task Elements_of_keyed_lists_have_owners_of_their_own()
    {
        await _cluster.ApplyAsync(Deployments + "/web", "one", Web);
        await _cluster.ApplyAsync(Deployments + "/web", "two", """
            {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"template":{"spec":
              {"containers":[{"name":"web","env":[{"name":"C","value":"3"}]},{"name":"side","image":"s:1"}]}}}}
            """);
        var both = await _cluster.ApplyAsync(Deployments + "/web", "one",
            Web.Replace("""{"name":"A","value":"1"},""", "", StringComparison.Ordinal));
        var containers = both.Json["spec"]!["template"]!["spec"]!["containers"]!.AsArray();
        Assert.Equal(["web", "side"], containers.Select(c => c!["name"]!.ToString()));
        Assert.Equal(["B", "C"], containers[0]!["env"]!.AsArray().Select(e => e!["name"]!.ToString()));
        Assert.Contains("k:{\"containerPort\":80,\"protocol\":\"TCP\"}", Fields(both, "one"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_undeclared_field_is_refused()
    {
        var refused = await _cluster.ApplyAsync(Path, "one",
            """{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"dta":{}}""");
        Assert.Equal(
            "failed to create typed patch object (default/a; /v1, Kind=ConfigMap): .dta: field not declared in schema",
            refused.Message);
    }

    [Fact]
    public async Task An_element_of_a_keyed_list_may_be_stated_once()
    {
        var refused = await _cluster.ApplyAsync(Deployments + "/web", "one", """
            {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"template":{"spec":
              {"containers":[{"name":"web","env":[{"name":"A","value":"1"},{"name":"A","value":"2"}]}]}}}}
            """);
        Assert.Equal(HttpStatusCode.InternalServerError, refused.Code);
        Assert.Equal("failed to create typed patch object (default/web; apps/v1, Kind=Deployment): " +
            ".spec.template.spec.containers[name=\"web\"].env: duplicate entries for key [name=\"A\"]",
            refused.Message);
    }

    [Fact]
    public async Task Values_of_the_wrong_type_are_refused_by_the_schema()
    {
        var refused = await _cluster.ApplyAsync(Deployments + "/web", "one", """
            {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":"3","paused":"no",
             "template":{"spec":{"containers":[{"name":"web","image":7,"env":{}}]}}}}
            """);
        Assert.Equal(HttpStatusCode.InternalServerError, refused.Code);
        Assert.Equal("failed to create typed patch object (default/web; apps/v1, Kind=Deployment): errors:\n" +
            "  .spec.replicas: expected numeric (int or float), got string\n" +
            "  .spec.paused: expected boolean, got &{\"no\"}\n" +
            "  .spec.template.spec.containers[name=\"web\"].image: " +
            "expected string, got &value.valueUnstructured{Value:7}\n" +
            "  .spec.template.spec.containers[name=\"web\"].env: expected list, got &{{}}", refused.Message);
    }

    [Fact]
    public async Task What_is_applied_says_what_it_is()
    {
        var unversioned = await _cluster.ApplyAsync(Path, "one", """{"kind":"ConfigMap","metadata":{"name":"a"}}""");
        Assert.Equal(HttpStatusCode.BadRequest, unversioned.Code);
        Assert.Equal("Incorrect version specified in apply patch. Specified patch version: , expected: v1",
            unversioned.Message);
        var unkind = await _cluster.ApplyAsync(Path, "one", """{"apiVersion":"v1","metadata":{"name":"a"}}""");
        Assert.Equal("failed to create typed patch object (default/a; /v1, Kind=): " +
            "no corresponding type for /v1, Kind=", unkind.Message);
    }

    [Fact]
    public async Task A_custom_resource_says_what_it_is_while_a_built_in_one_is_known_by_its_address()
    {
        await _cluster.PostAsync(Definitions, Widget);
        var refused = await _cluster.PostAsync(Widgets, """{"apiVersion":"example.com/v1","metadata":{"name":"w"}}""");
        Assert.Equal(HttpStatusCode.BadRequest, refused.Code);
        Assert.StartsWith("Object 'Kind' is missing in '{", refused.Message, StringComparison.Ordinal);
        var known = await _cluster.PostAsync(ConfigMaps, """{"metadata":{"name":"b"}}""");
        Assert.Equal(HttpStatusCode.Created, known.Code);
    }

    [Fact]
    public async Task An_applier_has_to_name_itself()
    {
        var refused = await _cluster.SendAsync(HttpMethod.Patch, Path, ConfigMap("a"), "application/apply-patch+yaml");
        Assert.Equal(
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
            refused.Message);
    }

    [Fact]
    public async Task Yaml_can_be_applied()
    {
        var made = await _cluster.ApplyAsync(Path, "one",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  x: \"1\"\n");
        Assert.Equal("1", made.At("data", "x"));
    }

    [Fact]
    public async Task Applying_status_leaves_the_spec_to_others()
    {
        await _cluster.PostAsync(Definitions, Widget);
        await _cluster.ApplyAsync(Widgets + "/w", "one", WidgetOf("w", """{"size":"small"}"""));
        var status = await _cluster.ApplyAsync(Widgets + "/w/status", "two",
            """{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w"},"status":{"state":"ok"}}""");
        Assert.Equal(("small", "ok"), (status.At("spec", "size"), status.At("status", "state")));
        Assert.Equal("""{"f:status":{"f:state":{}}}""", Fields(status, "two"));
        var spec = await _cluster.ApplyAsync(Widgets + "/w", "one", WidgetOf("w", """{"size":"big"}"""));
        Assert.Equal(("big", "ok"), (spec.At("spec", "size"), spec.At("status", "state")));
    }

    [Fact]
    public async Task An_update_takes_what_it_changes()
    {
        await _cluster.ApplyAsync(Path, "one", ConfigMap("a", """{"x":"1","y":"1"}"""));
        var changed = await _cluster.SendAsync(HttpMethod.Patch, Path + "?fieldManager=hand", """{"data":{"x":"2"}}""",
            "application/merge-patch+json");
        Assert.Equal("""{"f:data":{"f:x":{}}}""", Fields(changed, "hand"));
        Assert.Equal("""{"f:data":{"f:y":{}}}""", Fields(changed, "one"));
    }

    private static string? Fields(Answer answer, string manager) =>
        (answer.Json["metadata"]!["managedFields"] as JsonArray)?
        .FirstOrDefault(e => e!["manager"]!.ToString() == manager)?["fieldsV1"]!.ToJsonString(
            new(System.Text.Json.JsonSerializerDefaults.General)
        {
            Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        }).Replace("\\\"", "\"", StringComparison.Ordinal);
}
