using Cloud.Operator.Mattermosts;
using Cloud.Operator.Reconciling;
using k8s.Models;

namespace Cloud.Operator.Tests.Loop;

public sealed class HealthTests
{
    [Theory]
    [InlineData(2, 2, 2, 1, "stable")]
    [InlineData(2, 1, 3, 1, "ready")] // one new, old ones still there
    [InlineData(2, 2, 3, 1, "ready")] // an old one lingers
    [InlineData(2, 0, 2, 1, "reconciling")] // nothing new serves
    [InlineData(2, 2, 2, 0, "reconciling")] // the newest generation was not noticed
    [InlineData(0, 0, 0, 1, "stable")]
    [InlineData(0, 1, 1, 1, "reconciling")] // going to sleep
    public void A_state_follows_from_what_is_seen(int wanted, int updated, int replicas, long observed, string state)
    {
        var verdict = Health.Judge(Chat(wanted), new Observation(
            Deployment(replicas, observed), null, [ReplicaSet("1", 5), ReplicaSet("2", updated)], null, Ingress()));
        Assert.Equal(state, verdict.Status.State);
        Assert.Equal(state == MattermostState.Stable, verdict.Waits is null);
    }

    [Fact]
    public void Version_and_endpoint_are_told_only_when_something_new_serves()
    {
        var seen = new Observation(Deployment(1, 1), null, [ReplicaSet("2", 0)], null, Ingress());
        var before = Health.Judge(Chat(1), seen);
        Assert.Equal((null, null), (before.Status.Version, before.Status.Endpoint));
        var after = Health.Judge(Chat(1), seen with { ReplicaSets = [ReplicaSet("2", 1)] });
        Assert.Equal(("2.0", "chat.example.com"), (after.Status.Version, after.Status.Endpoint));
    }

    [Fact]
    public void A_load_balancer_without_address_holds_it_back()
    {
        var chat = Chat(1);
        chat.Spec.UseServiceLoadBalancer = true;
        var service = new V1Service { Status = new V1ServiceStatus { LoadBalancer = new V1LoadBalancerStatus() } };
        var seen = new Observation(Deployment(1, 1), null, [ReplicaSet("2", 1)], service, null);
        Assert.Equal(MattermostState.Reconciling, Health.Judge(chat, seen).Status.State);
        service.Status.LoadBalancer.Ingress = [new V1LoadBalancerIngress { Ip = "1.2.3.4" }];
        Assert.Equal(
            (MattermostState.Stable, "1.2.3.4"),
            (Health.Judge(chat, seen).Status.State, Health.Judge(chat, seen).Status.Endpoint));
    }

    [Fact]
    public void A_job_server_that_is_wanted_must_run()
    {
        var chat = Chat(1);
        chat.Spec.JobServer = new JobServerSpec { DedicatedJobServer = true };
        var seen = new Observation(Deployment(1, 1), null, [ReplicaSet("2", 1)], null, Ingress());
        Assert.Equal(MattermostState.Ready, Health.Judge(chat, seen).Status.State);
        var server = Deployment(1, 1, "server");
        seen = seen with { JobServer = server, ReplicaSets = [.. seen.ReplicaSets, ReplicaSet("2", 1, "server")] };
        Assert.Equal(MattermostState.Stable, Health.Judge(chat, seen).Status.State);
    }

    private static Mattermost Chat(int replicas) => new()
    {
        Metadata = new V1ObjectMeta { Name = "chat", NamespaceProperty = "team" },
        Spec = new MattermostSpec
        {
            Image = "app",
            Version = "2.0",
            Replicas = replicas,
            Ingress = new IngressSpec { Enabled = true, Host = "chat.example.com" },
        },
    };

    private static V1Deployment Deployment(int replicas, long observed, string uid = "app") => new()
    {
        Metadata = new V1ObjectMeta { Uid = uid, Generation = 1, Annotations = Revision("2") },
        Status = new V1DeploymentStatus { Replicas = replicas, ObservedGeneration = observed },
    };

    private static V1ReplicaSet ReplicaSet(string revision, int available, string owner = "app") => new()
    {
        Metadata = new V1ObjectMeta
        {
            Annotations = Revision(revision), OwnerReferences = [new V1OwnerReference { Uid = owner }],
        },
        Status = new V1ReplicaSetStatus { AvailableReplicas = available, ObservedGeneration = 1 },
    };

    private static V1Ingress Ingress() => new()
    {
        Spec = new V1IngressSpec { Rules = [new V1IngressRule { Host = "chat.example.com" }] },
    };

    private static Dictionary<string, string> Revision(string number) =>
        new() { ["deployment.kubernetes.io/revision"] = number };
}
