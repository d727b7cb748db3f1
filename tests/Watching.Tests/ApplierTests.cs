using System.Text.Json.Nodes;
using k8s;
using k8s.Models;

namespace Cloud.Watching.Tests;

public sealed class ApplierTests
{
    [Fact]
    public async Task What_is_missing_is_applied_by_force_under_our_name()
    {
        await using var server = await ScriptedServer.Start();
        using var api = server.Connect(path: "/clusters/local-a");
        server.ThenJson(ScriptedServer.ConfigMap("a", "1"));

        var applied = await new Applier(api, "me").Apply(
            ResourceKinds.Deployments, Desired(), live: null, force: true, TestContext.Current.CancellationToken);

        Assert.True(applied.Written);
        var request = await server.Next();
        Assert.Equal("PATCH", request.Method);
        Assert.Equal("/clusters/local-a/apis/apps/v1/namespaces/n/deployments/a", request.Path);
        Assert.Equal("application/apply-patch+yaml", request.ContentType.Split(';')[0]);
        Assert.Equal(("me", "true"), (request.Query["fieldManager"].ToString(), request.Query["force"].ToString()));
        var body = JsonNode.Parse(request.Body)!;
        Assert.Equal(("apps/v1", "Deployment"), (body["apiVersion"]!.ToString(), body["kind"]!.ToString()));
        Assert.Null(body["status"]);
    }

    public static TheoryData<string, string, bool> Changes => new()
    {
        { "nothing", "", false },
        { "a field of another manager", """{"spec":{"minReadySeconds":5}}""", false },
        { "a container of another", """{"spec":{"template":{"spec":{"initContainers":[{"name":"x"}]}}}}""", false },
        { "replicas", """{"spec":{"replicas":7}}""", true },
        { "a label of ours", """{"metadata":{"labels":{"app":"other"}}}""", true },
        { "a label of another", """{"metadata":{"labels":{"extra":"1"}}}""", false },
        { "the hash", """{"metadata":{"annotations":{"cloud.mattermost.com/applied":"0"}}}""", true },
        { "the strategy", """{"spec":{"strategy":{"type":"Recreate"}}}""", true },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task Only_a_change_to_a_field_of_ours_is_undone(string what, string change, bool written)
    {
        Assert.NotEmpty(what);
        await using var server = await ScriptedServer.Start();
        using var api = server.Connect();
        var live = Applier.Document(ResourceKinds.Deployments, Desired());
        // What a server adds: defaults and its own notion of an amount.
        Merge(live, JsonNode.Parse("""
            {"metadata":{"uid":"u","resourceVersion":"9","generation":1},
             "spec":{"progressDeadlineSeconds":600,"template":{"spec":{"restartPolicy":"Always"}}},
             "status":{"replicas":1}}
            """)!.AsObject());
        var container = live["spec"]!["template"]!["spec"]!["containers"]![0]!;
        container["resources"]!["limits"]!["memory"] = "4Gi";
        container["terminationMessagePath"] = "/dev/termination-log";
        container["ports"]![0]!["protocol"] = "TCP";
        Merge(live, change.Length == 0 ? [] : JsonNode.Parse(change)!.AsObject());
        server.ThenJson(ScriptedServer.ConfigMap("a", "10"));

        var applied = await new Applier(api, "me").Apply(
            ResourceKinds.Deployments, Desired(), KubernetesJson.Deserialize<V1Deployment>(live), force: true,
            TestContext.Current.CancellationToken);

        Assert.Equal(written, applied.Written);
    }

    [Fact]
    public async Task A_schema_with_a_property_called_requests_is_no_amount()
    {
        await using var server = await ScriptedServer.Start();
        using var api = server.Connect();
        var desired = new V1CustomResourceDefinition
        {
            Metadata = new V1ObjectMeta { Name = "widgets.example.org" },
            Spec = new V1CustomResourceDefinitionSpec
            {
                Group = "example.org",
                Versions =
                [
                    new V1CustomResourceDefinitionVersion
                    {
                        Name = "v1",
                        Schema = new V1CustomResourceValidation
                        {
                            OpenAPIV3Schema = new V1JSONSchemaProps
                            {
                                Properties = new Dictionary<string, V1JSONSchemaProps>
                                {
                                    ["requests"] = new() { Type = "object" },
                                },
                            },
                        },
                    },
                ],
            },
        };
        var kind = ResourceKinds.CustomResourceDefinitions;
        var live = KubernetesJson.Deserialize<V1CustomResourceDefinition>(
            Applier.Document(kind, desired).ToJsonString().Replace("object", "string", StringComparison.Ordinal));
        server.ThenJson(ScriptedServer.ConfigMap("a", "10"));

        var applied = await new Applier(api, "me").Apply(
            kind, desired, live, force: true, TestContext.Current.CancellationToken);

        Assert.True(applied.Written);
    }

    private static void Merge(JsonObject into, JsonObject from)
    {
        foreach (var (name, value) in from)
        {
            if (into[name] is JsonObject present && value is JsonObject more)
            {
                Merge(present, more);
            }
            else
            {
                into[name] = value?.DeepClone();
            }
        }
    }

    private static V1Deployment Desired() => new()
    {
        Metadata = new V1ObjectMeta
        {
            Name = "a", NamespaceProperty = "n", Labels = new Dictionary<string, string> { ["app"] = "a" },
        },
        Spec = new V1DeploymentSpec
        {
            Replicas = 1,
            Strategy = new V1DeploymentStrategy
            {
                Type = "RollingUpdate",
                RollingUpdate = new V1RollingUpdateDeployment { MaxSurge = 1, MaxUnavailable = 0 },
            },
            Selector = new V1LabelSelector { MatchLabels = new Dictionary<string, string> { ["app"] = "a" } },
            Template = new V1PodTemplateSpec
            {
                Spec = new V1PodSpec
                {
                    Containers =
                    [
                        new V1Container
                        {
                            Name = "main",
                            Image = "i:1",
                            Ports = [new V1ContainerPort { ContainerPort = 80 }],
                            Env = [new V1EnvVar { Name = "E", Value = "" }],
                            Resources = new V1ResourceRequirements
                            {
                                Limits = new Dictionary<string, ResourceQuantity> { ["memory"] = new("4096Mi") },
                            },
                        },
                    ],
                },
            },
        },
    };
}
