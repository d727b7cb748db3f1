using Cloud.Simulator.Controllers;
using Xunit;

namespace Cloud.Simulator.Tests.Controllers;

public sealed class Surroundings
{
    [Fact]
    public async Task A_service_has_the_ready_pods_as_endpoints_and_loses_them_with_it()
    {
        await using var cluster = await LiveCluster.StartAsync();
        cluster.Create("services", Objects.Service("web"));
        cluster.Create("deployments.apps", Objects.Deployment("web", 2));
        await cluster.Until(() => Addresses(cluster) == 2);
        var slice = Assert.Single(cluster.List("endpointslices.discovery.k8s.io"));
        Assert.Equal("web", slice.Labels().Text("kubernetes.io/service-name"));
        Assert.All(slice.Items("endpoints"), e => Assert.True(e.Flag("conditions", "ready")));
        cluster.Change("deployments.apps", "web", d => d["spec"]!["replicas"] = 0);
        await cluster.Until(() => Addresses(cluster) == 0);
        cluster.Delete("services", "web");
        await cluster.Until(() => cluster.Get("endpoints", "web") is null
            && cluster.List("endpointslices.discovery.k8s.io").Count == 0);
    }

    [Fact]
    public async Task A_claim_is_bound_at_once_and_its_volume_goes_with_it()
    {
        await using var cluster = await LiveCluster.StartAsync();
        cluster.Create("persistentvolumeclaims", LiveCluster.Parse("""
            {"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"files","namespace":"story"},
             "spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}
            """));
        await cluster.Until(() => cluster.Get("persistentvolumeclaims", "files").Text("status", "phase") == "Bound");
        Assert.Single(cluster.Api.List("persistentvolumes"));
        cluster.Delete("persistentvolumeclaims", "files");
        await cluster.Until(() => cluster.Api.List("persistentvolumes").Count == 0);
    }

    [Fact]
    public async Task A_disruption_budget_counts_what_may_be_missing()
    {
        await using var cluster = await LiveCluster.StartAsync();
        cluster.Create("deployments.apps", Objects.Deployment("web", 3));
        cluster.Create("poddisruptionbudgets.policy", LiveCluster.Parse("""
            {"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"web","namespace":"story"},
             "spec":{"minAvailable":2,"selector":{"matchLabels":{"app":"web"}}}}
            """));
        await cluster.Until(() =>
            cluster.Get("poddisruptionbudgets.policy", "web").Int("status", "disruptionsAllowed") == 1);
    }

    [Fact]
    public async Task Events_go_after_an_hour()
    {
        await using var cluster = await LiveCluster.StartAsync();
        cluster.Create("pods", Objects.Pod("talkative"));
        await cluster.Until(() => cluster.List("events").Count >= 4);
        cluster.Clock.Advance(TimeSpan.FromMinutes(65));
        await cluster.Until(() => cluster.List("events").Count == 0);
    }

    [Fact]
    public async Task An_idle_cluster_writes_nothing()
    {
        await using var cluster = await LiveCluster.StartAsync();
        cluster.Create("deployments.apps", Objects.Deployment("web", 3));
        await cluster.Until(() => cluster.List("pods").Count(Pods.IsReady) == 3);
        await cluster.Until(() => cluster.List("events").Count == 0);
        await cluster.Settle();
        var newest = Newest(cluster);
        cluster.Clock.Advance(TimeSpan.FromHours(1));
        await cluster.Settle();
        Assert.Null(await cluster.Controllers.IdleAsync(TestContext.Current.CancellationToken));
        Assert.Equal(newest, Newest(cluster));
    }

    private static long Newest(LiveCluster cluster) =>
        Resources.BuiltIn.SelectMany(k => cluster.Api.List(k.Resource)).Max(o => o.ResourceVersion());

    private static int Addresses(LiveCluster cluster) => cluster.Get("endpoints", "web")
        .Items("subsets").Sum(s => s.Items("addresses").Count());
}
