using System.Net;
using Xunit;
using static Cloud.Simulator.Tests.ApiServers.Manifests;

namespace Cloud.Simulator.Tests.ApiServers;

public sealed class CustomResources : IAsyncLifetime
{
    private RunningCluster _cluster = null!;

    public async ValueTask InitializeAsync()
    {
        _cluster = await RunningCluster.StartAsync();
        await _cluster.PostAsync(Definitions, Widget);
    }

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    [Fact]
    public async Task A_definition_is_established_and_served()
    {
        var definition = await _cluster.GetAsync(Definitions + "/widgets.example.com");
        Assert.Contains("Established", definition.Text, StringComparison.Ordinal);
        Assert.Equal("widget", definition.At("spec", "names", "singular"));
        var resources = await _cluster.GetAsync("apis/example.com/v1");
        Assert.Equal("widgets", resources.At("resources", "0", "name"));
        Assert.Equal("wd", resources.At("resources", "0", "shortNames", "0"));
    }

    [Fact]
    public async Task Defaults_are_filled_in_and_unknown_fields_pruned()
    {
        var made = await _cluster.PostAsync(Widgets,
            WidgetOf("w", """{"size":"small","no":1,"port":"http","extra":{"any":[1]},"env":[{"name":"a"}]}"""));
        Assert.Equal(HttpStatusCode.Created, made.Code);
        Assert.Equal("1", made.At("spec", "replicas"));
        Assert.Equal("x", made.At("spec", "env", "0", "value"));
        Assert.Equal("1", made.At("spec", "extra", "any", "0"));
        Assert.Null(made.At("spec", "no"));
        Assert.Single(made.Warnings);
    }

    [Theory]
    [InlineData("""{}""", "spec.size: Required value")]
    [InlineData("""{"size":"huge"}""", "spec.size: Unsupported value: \"huge\": supported values: \"small\", \"big\"")]
    [InlineData("""{"size":"big","replicas":"a"}""",
        "spec.replicas: Invalid value: \"string\": spec.replicas in body must be of type integer: \"string\"")]
    [InlineData("""{"size":"big","replicas":11}""",
        "spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10")]
    [InlineData("""{"size":"big","note":"toolong"}""", "spec.note: Too long: may not be more than 5 bytes")]
    [InlineData("""{"size":"big","note":"A"}""",
        "spec.note: Invalid value: \"A\": spec.note in body should match '^[a-z]+$'")]
    [InlineData("""{"size":"big","env":[{"name":"a"},{"name":"a"}]}""",
        "spec.env[1]: Duplicate value: {\"name\":\"a\"}")]
    public async Task What_the_schema_forbids_is_refused(string spec, string why)
    {
        var refused = await _cluster.PostAsync(Widgets, WidgetOf("w", spec));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.Code);
        Assert.Equal("Widget.example.com \"w\" is invalid: " + why, refused.Message);
    }

    [Fact]
    public async Task Replacing_needs_a_revision()
    {
        await _cluster.PostAsync(Widgets, WidgetOf("w", """{"size":"small"}"""));
        var refused = await _cluster.PutAsync(Widgets + "/w",
            RunningCluster.Parse(WidgetOf("w", """{"size":"big"}""")));
        Assert.Equal(
            "Widget.example.com \"w\" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for " +
            "an update", refused.Message);
    }

    [Fact]
    public async Task Strategic_patches_are_not_taken()
    {
        await _cluster.PostAsync(Widgets, WidgetOf("w", """{"size":"small"}"""));
        var refused = await _cluster.StrategicAsync(Widgets + "/w", """{"spec":{"size":"big"}}""");
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, refused.Code);
    }

    [Fact]
    public async Task Deleting_a_definition_deletes_its_objects_first()
    {
        await _cluster.PostAsync(Widgets, """
            {"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w","finalizers":["a.io/hold"]},
             "spec":{"size":"small"}}
            """);
        await _cluster.DeleteAsync(Definitions + "/widgets.example.com");
        Assert.NotNull((await _cluster.GetAsync(Widgets + "/w")).At("metadata", "deletionTimestamp"));
        await _cluster.MergeAsync(Widgets + "/w", """{"metadata":{"finalizers":[]}}""");
        Assert.Equal(HttpStatusCode.NotFound, (await _cluster.GetAsync(Definitions + "/widgets.example.com")).Code);
        Assert.Equal(HttpStatusCode.NotFound, (await _cluster.GetAsync(Widgets)).Code);
    }

    [Fact]
    public async Task A_table_shows_the_columns_of_the_definition()
    {
        await _cluster.PostAsync(Widgets, WidgetOf("w", """{"size":"small"}"""));
        var table = await _cluster.GetAsync(Widgets, "application/json;as=Table;v=v1;g=meta.k8s.io,application/json");
        Assert.Equal("Table", table.At("kind"));
        Assert.Equal("""["w","small"]""", table.Json["rows"]![0]!["cells"]!.ToJsonString());
    }
}
