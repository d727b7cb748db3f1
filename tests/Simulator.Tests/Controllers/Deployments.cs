using System.Text.Json.Nodes;
using Cloud.Simulator.Controllers;
using Xunit;

namespace Cloud.Simulator.Tests.Controllers;

public sealed class Deployments
{
    [Fact]
    public async Task A_deployment_gets_a_replica_set_and_ready_pods_with_the_names_of_real_ones()
    {
        await using var cluster = await LiveCluster.StartAsync();
        cluster.Create("deployments.apps", Objects.Deployment("web", 3));
        await cluster.Until(() => Available(cluster, "web") == 3);

        var set = Assert.Single(cluster.List("replicasets.apps"));
        var hash = set.Labels().Text("pod-template-hash");
        Assert.Equal($"web-{hash}", set.Name());
        Assert.Equal("1", set.Annotation("deployment.kubernetes.io/revision"));
        var pods = cluster.List("pods");
        Assert.Equal(3, pods.Count);
        Assert.All(pods, p => Assert.StartsWith($"web-{hash}-", p.Name(), StringComparison.Ordinal));
        Assert.All(pods, p => Assert.Equal("Running", p.Text("status", "phase")));
        Assert.Equal(3, pods.Select(p => p.Text("status", "podIP")).Distinct().Count());
        var status = cluster.Get("deployments.apps", "web")!["status"];
        Assert.True(Conditions.IsTrue(status, "Available"));
        await cluster.Until(() => Reason(cluster, "web") == "NewReplicaSetAvailable");
    }

    [Fact]
    public async Task A_rolling_update_never_has_fewer_available_than_wanted_nor_more_than_the_surge()
    {
        await using var cluster = await LiveCluster.StartAsync();
        cluster.Create("deployments.apps", Objects.Deployment("web", 4));
        await cluster.Until(() => Available(cluster, "web") == 4);
        cluster.Change("deployments.apps", "web", d => Container(d)["image"] = "nginx:2");
        await cluster.Until(() =>
        {
            var pods = cluster.List("pods").Where(Pods.IsActive).ToList();
            Assert.InRange(pods.Count(Pods.IsReady), 4, 5);
            Assert.InRange(pods.Count, 4, 5);
            return Updated(cluster, "web") == 4 && cluster.List("pods").Count == 4;
        });
        Assert.All(cluster.List("pods"), p => Assert.Equal("nginx:2", Container(p, "spec").Text("image")));
        Assert.Equal("2", cluster.Get("deployments.apps", "web")!.Annotation("deployment.kubernetes.io/revision"));
    }

    [Fact]
    public async Task An_update_to_a_bad_image_leaves_the_old_pods_serving_and_passes_its_deadline()
    {
        await using var cluster = await LiveCluster.StartAsync();
        cluster.Create("deployments.apps", Objects.Deployment("web", 2));
        await cluster.Until(() => Available(cluster, "web") == 2);
        cluster.Change("deployments.apps", "web", d => Container(d)["image"] = "nginx:does-not-exist");
        await cluster.Until(() => Reason(cluster, "web") == "ProgressDeadlineExceeded");
        Assert.Equal(2, cluster.List("pods").Count(Pods.IsReady));
        Assert.Contains(cluster.List("pods").SelectMany(p => p.Items("status", "containerStatuses")),
            c => c.Text("state", "waiting", "reason") is "ImagePullBackOff" or "ErrImagePull");

        cluster.Change("deployments.apps", "web", d => Container(d)["image"] = "nginx:1");
        await cluster.Until(() =>
            Reason(cluster, "web") == "NewReplicaSetAvailable" && cluster.List("pods").Count == 2);
        Assert.Equal("3", cluster.Get("deployments.apps", "web")!.Annotation("deployment.kubernetes.io/revision"));
    }

    [Fact]
    public async Task Scaling_to_nothing_and_back_keeps_the_replica_set()
    {
        await using var cluster = await LiveCluster.StartAsync();
        cluster.Create("deployments.apps", Objects.Deployment("web", 3));
        await cluster.Until(() => Available(cluster, "web") == 3);
        cluster.Change("deployments.apps", "web", d => d["spec"]!["replicas"] = 0);
        await cluster.Until(() => cluster.List("pods").Count == 0 && Replicas(cluster, "web") == 0);
        cluster.Change("deployments.apps", "web", d => d["spec"]!["replicas"] = 5);
        await cluster.Until(() => Available(cluster, "web") == 5);
        Assert.Single(cluster.List("replicasets.apps"));
    }

    [Fact]
    public async Task Recreate_ends_every_old_pod_before_it_makes_a_new_one()
    {
        await using var cluster = await LiveCluster.StartAsync();
        var deployment = Objects.Deployment("web", 2);
        deployment["spec"]!["strategy"] = new JsonObject { ["type"] = "Recreate" };
        cluster.Create("deployments.apps", deployment);
        await cluster.Until(() => Available(cluster, "web") == 2);
        cluster.Change("deployments.apps", "web", d => Container(d)["image"] = "nginx:2");
        await cluster.Until(() =>
        {
            var images = cluster.List("pods").Select(p => Container(p, "spec").Text("image")).Distinct();
            Assert.True(images.Count() <= 1, "old and new at the same time");
            return Updated(cluster, "web") == 2 && Available(cluster, "web") == 2;
        });
    }

    [Fact]
    public async Task Old_replica_sets_go_beyond_the_history_limit()
    {
        await using var cluster = await LiveCluster.StartAsync();
        var deployment = Objects.Deployment("web", 1);
        deployment["spec"]!["revisionHistoryLimit"] = 2;
        cluster.Create("deployments.apps", deployment);
        for (var version = 2; version <= 6; version++)
        {
            await cluster.Until(() => Reason(cluster, "web") == "NewReplicaSetAvailable");
            cluster.Change("deployments.apps", "web", d => Container(d)["image"] = $"nginx:{version}");
            await cluster.Until(() => cluster.List("pods") is [var pod] && Pods.IsReady(pod)
                && Container(pod, "spec").Text("image") == $"nginx:{version}");
        }
        await cluster.Until(() => cluster.List("replicasets.apps").Count == 3);
    }

    [Fact]
    public async Task A_paused_deployment_does_not_roll_until_it_is_resumed()
    {
        await using var cluster = await LiveCluster.StartAsync();
        cluster.Create("deployments.apps", Objects.Deployment("web", 2));
        await cluster.Until(() => Available(cluster, "web") == 2);
        cluster.Change("deployments.apps", "web", d =>
        {
            d["spec"]!["paused"] = true;
            Container(d)["image"] = "nginx:2";
        });
        await cluster.Until(() => Reason(cluster, "web") == "DeploymentPaused");
        Assert.Single(cluster.List("replicasets.apps"));
        cluster.Change("deployments.apps", "web", d => d["spec"]!["paused"] = false);
        await cluster.Until(() => Updated(cluster, "web") == 2 && cluster.List("pods").Count == 2);
    }

    [Fact]
    public async Task A_deleted_pod_is_replaced_and_an_orphan_that_matches_is_adopted()
    {
        await using var cluster = await LiveCluster.StartAsync();
        cluster.Create("deployments.apps", Objects.Deployment("web", 2));
        await cluster.Until(() => Available(cluster, "web") == 2);
        var victim = cluster.List("pods")[0].Name();
        cluster.Delete("pods", victim);
        await cluster.Until(() => cluster.Get("pods", victim) is null && Available(cluster, "web") == 2);

        var set = cluster.List("replicasets.apps")[0];
        var stray = Objects.Pod("stray");
        stray["metadata"]!["labels"] = set.Labels()!.DeepClone();
        cluster.Create("pods", stray);
        await cluster.Until(() => cluster.List("pods").Count(Pods.IsActive) == 2
            && cluster.List("pods").All(p => p.ControllerUid() is not null));
    }

    private static JsonObject Container(JsonObject obj, params string[] path) =>
        obj.Items([.. path.Length == 0 ? ["spec", "template", "spec"] : path, "containers"]).First();

    private static int Available(LiveCluster cluster, string name) => Count(cluster, name, "availableReplicas");

    private static int Updated(LiveCluster cluster, string name) => Count(cluster, name, "updatedReplicas");

    private static int Replicas(LiveCluster cluster, string name) => Count(cluster, name, "replicas");

    private static int Count(LiveCluster cluster, string name, string field)
    {
        var deployment = cluster.Get("deployments.apps", name)!;
        var isCurrent = deployment.Int("status", "observedGeneration") >= deployment.Generation();
        return isCurrent ? deployment.Int("status", field) : -1;
    }

    private static string? Reason(LiveCluster cluster, string name)
    {
        var deployment = cluster.Get("deployments.apps", name)!;
        return deployment.Int("status", "observedGeneration") < deployment.Generation()
            ? null
            : Conditions.Find(deployment["status"], "Progressing").Text("reason");
    }
}
