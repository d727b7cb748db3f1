using System.Text.Json.Nodes;
using Cloud.Simulator.Controllers;
using Xunit;

namespace Cloud.Simulator.Tests.Controllers;

public sealed class Scheduling
{
    [Fact]
    public async Task A_pod_that_fits_nowhere_is_told_why_and_runs_when_room_appears()
    {
        await using var cluster = await LiveCluster.StartAsync(nodes: 2, cpu: "1");
        cluster.Create("deployments.apps", Objects.Deployment("full", 2, cpu: "900m"));
        await cluster.Until(() => cluster.List("pods").Count(Pods.IsReady) == 2);
        cluster.Create("pods", Asking("late", "500m"));
        await cluster.Until(() => Scheduled(cluster, "late").Text("status") == "False");

        var condition = Scheduled(cluster, "late");
        Assert.Equal("Unschedulable", condition.Text("reason"));
        Assert.StartsWith("0/2 nodes are available: 2 Insufficient cpu.", condition.Text("message"),
            StringComparison.Ordinal);
        Assert.Equal("Pending", cluster.Get("pods", "late").Text("status", "phase"));
        await cluster.Until(() => cluster.List("events").Any(e => e.Text("reason") == "FailedScheduling"
            && e.Text("involvedObject", "name") == "late"));

        cluster.Change("deployments.apps", "full", d => d["spec"]!["replicas"] = 1);
        await cluster.Until(() => Pods.IsReady(cluster.Get("pods", "late")!));
    }

    [Fact]
    public async Task Pods_spread_over_the_nodes_and_stop_at_their_number_of_places()
    {
        await using var cluster = await LiveCluster.StartAsync(nodes: 2, pods: 3);
        cluster.Create("deployments.apps", Objects.Deployment("web", 8));
        await cluster.Until(() => cluster.List("pods").Count(Pods.IsReady) == 6
            && cluster.List("pods").Count(p => Scheduled(cluster, p.Name()).Text("status") == "False") == 2);
        Assert.Equal(3, cluster.List("pods").Count(p => p.Text("spec", "nodeName") == "test-node-1"));
        Assert.Equal(3, cluster.List("pods").Count(p => p.Text("spec", "nodeName") == "test-node-2"));
        var waiting = cluster.List("pods").First(p => p.Text("spec", "nodeName") is null);
        Assert.Contains("2 Too many pods", Scheduled(cluster, waiting.Name()).Text("message"),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Selectors_taints_and_anti_affinity_are_obeyed()
    {
        await using var cluster = await LiveCluster.StartAsync(nodes: 2);
        var first = cluster.Api.Get("nodes", null, "test-node-1")!;
        first["spec"]!["taints"] = new JsonArray(
            new JsonObject { ["key"] = "dedicated", ["value"] = "x", ["effect"] = "NoSchedule" });
        cluster.Api.Update("nodes", first, "test");
        await cluster.Settle();

        cluster.Create("pods", Objects.Pod("chosen", """
            {"nodeSelector":{"kubernetes.io/hostname":"test-node-1"},"containers":[{"name":"main","image":"nginx:1"}]}
            """));
        await cluster.Until(() => Scheduled(cluster, "chosen").Text("reason") == "Unschedulable");
        Assert.Contains("untolerated taint {dedicated: x}", Scheduled(cluster, "chosen").Text("message"),
            StringComparison.Ordinal);
        cluster.Create("pods", Objects.Pod("tolerant", """
            {"nodeSelector":{"kubernetes.io/hostname":"test-node-1"},"tolerations":[{"operator":"Exists"}],
             "containers":[{"name":"main","image":"nginx:1"}]}
            """));
        await cluster.Until(() => Pods.IsReady(cluster.Get("pods", "tolerant")!));

        const string apart = """
            {"affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[
               {"topologyKey":"kubernetes.io/hostname","labelSelector":{"matchExpressions":[
                  {"key":"app","operator":"In","values":["one","two"]}]}}]}},
             "containers":[{"name":"main","image":"nginx:1"}]}
            """;
        cluster.Create("pods", Objects.Pod("one", apart));
        await cluster.Until(() => Pods.IsReady(cluster.Get("pods", "one")!));
        cluster.Create("pods", Objects.Pod("two", apart));
        await cluster.Until(() => Scheduled(cluster, "two").Text("reason") == "Unschedulable");
        cluster.Delete("pods", "one");
        await cluster.Until(() => Pods.IsReady(cluster.Get("pods", "two")!));
    }

    [Fact]
    public async Task A_cluster_made_smaller_moves_its_pods()
    {
        await using var before = await LiveCluster.StartAsync(nodes: 2);
        before.Create("deployments.apps", Objects.Deployment("web", 4));
        await before.Until(() => before.List("pods").Count(Pods.IsReady) == 4);
        await before.Controllers.StopAsync(TestContext.Current.CancellationToken);

        await using var after = new LiveCluster(nodes: 1, api: before.Api, clock: before.Clock);
        await after.Until(() => after.Api.List("nodes").Count == 1 && after.List("pods").Count(Pods.IsReady) == 4
            && after.List("pods").All(p => p.Text("spec", "nodeName") == "test-node-1"));
    }

    private static JsonObject Asking(string name, string cpu) => Objects.Pod(name, $$$"""
        {"containers":[{"name":"main","image":"nginx:1","resources":{"requests":{"cpu":"{{{cpu}}}"} } }]}
        """);

    private static JsonObject? Scheduled(LiveCluster cluster, string name) =>
        Conditions.Find(cluster.Get("pods", name)?["status"], "PodScheduled");
}
