using Cloud.Operator.Manifests;
using Cloud.Operator.Mattermosts;
using k8s.Models;

namespace Cloud.Operator.Tests.Manifests;

public sealed class ResourcePatchTests
{
    [Theory]
    [InlineData("""[{"op":"add","path":"/spec/minReadySeconds","value":5}]""")]
    [InlineData("""[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"other:1"}]""")]
    [InlineData("""[{"op":"add","path":"/spec/template/spec/containers/-","value":{"name":"side","image":"s"}}]""")]
    [InlineData("""[{"op":"test","path":"/spec/replicas","value":1},{"op":"remove","path":"/spec/replicas"}]""")]
    [InlineData("""[{"op":"copy","from":"/spec/replicas","path":"/spec/minReadySeconds"}]""")]
    public void An_ordinary_patch_is_applied(string patch)
    {
        var (_, result) = Apply(patch);
        Assert.Equal((true, null), (result!.Applied, result.Error));
    }

    [Theory]
    [InlineData("""[{"op":"add","path":"/spec/template/spec/hostNetwork","value":true}]""")]
    [InlineData("""[{"op":"remove","path":"/spec/template/spec/volumes/0"}]""")]
    [InlineData("""[{"op":"add","path":"/spec/template/spec/containers/0/securityContext/privileged","value":true}]""")]
    [InlineData("""[{"op":"add","path":"/spec/template/spec/containers/0/securityContext","value":{"runAsUser":0}}]""")]
    [InlineData("""[{"op":"move","from":"/spec/template/spec/volumes","path":"/metadata/annotations"}]""")]
    [InlineData("""[{"op":"replace","path":"/spec/template/spec","value":{"hostPID":true,"containers":[]}}]""")]
    [InlineData("""[{"op":"test","path":"/spec/replicas","value":2}]""")]
    [InlineData("""[{"op":"remove","path":"/spec/nothing"}]""")]
    [InlineData("""[{"op":"burn","path":"/spec"}]""")]
    [InlineData("""[{"op":"add","path":"spec","value":1}]""")]
    [InlineData("""{"op":"add"}""")]
    [InlineData("""[{"op":"replace","path":"/spec","value":"text"}]""")]
    [InlineData("nonsense")]
    public void A_patch_that_is_broken_or_forbidden_changes_nothing_and_says_why(string patch)
    {
        var (deployment, result) = Apply(patch);
        Assert.False(result!.Applied);
        Assert.NotEmpty(result.Error!);
        Assert.Equal("app:1", Deployments.ImageOf(deployment.Spec.Template));
        Assert.Equal(1, deployment.Spec.Replicas);
    }

    [Fact]
    public void A_patch_that_is_switched_off_is_not_reported()
    {
        Assert.Null(ResourcePatches.Apply(Sample(), new PatchSpec { Patch = "nonsense", Disable = true }).Result);
        Assert.Null(ResourcePatches.Apply(Sample(), null).Result);
    }

    private static (V1Deployment Deployment, PatchResult? Result) Apply(string patch) =>
        ResourcePatches.Apply(Sample(), new PatchSpec { Patch = patch });

    private static V1Deployment Sample() => new()
    {
        Metadata = new V1ObjectMeta { Name = "chat" },
        Spec = new V1DeploymentSpec
        {
            Replicas = 1,
            Selector = new V1LabelSelector(),
            Template = new V1PodTemplateSpec
            {
                Spec = new V1PodSpec
                {
                    Containers = [new V1Container { Name = Names.Container, Image = "app:1" }],
                    Volumes = [new V1Volume { Name = "files" }],
                },
            },
        },
    };
}
