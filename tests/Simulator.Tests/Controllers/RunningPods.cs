using System.Text.Json.Nodes;
using Cloud.Simulator.Controllers;
using Xunit;

namespace Cloud.Simulator.Tests.Controllers;

public sealed class RunningPods
{
    [Fact]
    public async Task A_pod_becomes_ready_after_the_settable_delay_and_not_before()
    {
        await using var cluster = await LiveCluster.StartAsync();
        cluster.Controllers.Controls.PodStartDelay = TimeSpan.FromSeconds(30);
        cluster.Create("pods", Objects.Pod("slow"));
        await cluster.Until(() => cluster.Get("pods", "slow").Text("status", "startTime") is not null);
        var began = cluster.Clock.GetUtcNow();
        await cluster.Until(() => Pods.IsReady(cluster.Get("pods", "slow")!));
        Assert.InRange(cluster.Clock.GetUtcNow() - began, TimeSpan.FromSeconds(29), TimeSpan.FromSeconds(31));
    }

    [Fact]
    public async Task A_missing_secret_holds_the_container_until_it_is_there()
    {
        await using var cluster = await LiveCluster.StartAsync();
        cluster.Create("pods", Objects.Pod("needy", """
            {"containers":[{"name":"main","image":"nginx:1","env":[
              {"name":"OPTIONAL","valueFrom":{"secretKeyRef":{"name":"nowhere","key":"k","optional":true}}},
              {"name":"NEEDED","valueFrom":{"secretKeyRef":{"name":"later","key":"k"}}}]}]}
            """));
        await cluster.Until(() => Waiting(cluster, "needy") == "CreateContainerConfigError");
        Assert.Equal("secret \"later\" not found", Message(cluster, "needy"));

        cluster.Create("secrets", Objects.Secret("later", "other", "v"));
        await cluster.Until(() => Message(cluster, "needy") == "couldn't find key k in Secret story/later");
        cluster.Change("secrets", "later", s => s["data"]!["k"] = "dg==");
        await cluster.Until(() => Pods.IsReady(cluster.Get("pods", "needy")!));
    }

    [Fact]
    public async Task A_missing_volume_source_keeps_the_pod_from_starting()
    {
        await using var cluster = await LiveCluster.StartAsync();
        cluster.Create("pods", Objects.Pod("mounting", """
            {"volumes":[{"name":"v","secret":{"secretName":"later"}}],"containers":[{"name":"main","image":"nginx:1"}]}
            """));
        await cluster.Until(() => cluster.List("events").Any(e => e.Text("reason") == "FailedMount"));
        Assert.Equal("ContainerCreating", Waiting(cluster, "mounting"));
        cluster.Create("secrets", Objects.Secret("later", "k", "v"));
        await cluster.Until(() => Pods.IsReady(cluster.Get("pods", "mounting")!));
    }

    [Fact]
    public async Task A_container_that_keeps_failing_is_restarted_ever_more_slowly()
    {
        await using var cluster = await LiveCluster.StartAsync();
        cluster.Create("pods", Objects.Pod("failing", """
            {"containers":[{"name":"main","image":"busybox:1","command":["sh","-c","exit 3"]}]}
            """));
        await cluster.Until(() => Waiting(cluster, "failing") == "CrashLoopBackOff");
        Assert.StartsWith("back-off 10s restarting failed container=main", Message(cluster, "failing"),
            StringComparison.Ordinal);
        await cluster.Until(() =>
            Message(cluster, "failing")?.StartsWith("back-off 5m0s", StringComparison.Ordinal) == true);
        var status = cluster.Get("pods", "failing").Items("status", "containerStatuses").First();
        Assert.True(status.Int("restartCount") >= 5);
        Assert.Equal(3, status.Int("lastState", "terminated", "exitCode"));
        Assert.Equal("Running", cluster.Get("pods", "failing").Text("status", "phase"));
    }

    [Fact]
    public async Task Init_containers_run_one_after_the_other_before_the_rest()
    {
        await using var cluster = await LiveCluster.StartAsync();
        cluster.Create("pods", Objects.Pod("staged", """
            {"initContainers":[{"name":"first","image":"busybox:1","command":["sleep","5"]},
                               {"name":"second","image":"busybox:1","command":["true"]}],
             "containers":[{"name":"main","image":"nginx:1"}]}
            """));
        await cluster.Until(() => cluster.Get("pods", "staged").Items("status", "initContainerStatuses")
            .Any(c => c.At("state", "running") is not null));
        Assert.Equal("PodInitializing", InitWaiting(cluster, "staged"));
        await cluster.Until(() => Pods.IsReady(cluster.Get("pods", "staged")!));
        Assert.All(cluster.Get("pods", "staged").Items("status", "initContainerStatuses"),
            c => Assert.Equal(0, c.Int("state", "terminated", "exitCode")));
    }

    [Fact]
    public async Task A_deleted_pod_stops_and_is_gone_with_its_event()
    {
        await using var cluster = await LiveCluster.StartAsync();
        cluster.Create("pods", Objects.Pod("doomed"));
        await cluster.Until(() => Pods.IsReady(cluster.Get("pods", "doomed")!));
        cluster.Delete("pods", "doomed");
        Assert.NotNull(cluster.Get("pods", "doomed"));
        // Asked before it is gone: the hours of this clock that the container takes to end are longer than events are
        // kept.
        await cluster.Until(() => cluster.List("events").Any(e => e.Text("reason") == "Killing"
            && e.Text("message") == "Stopping container main"));
        await cluster.Until(() => cluster.Get("pods", "doomed") is null);
    }

    [Fact]
    public async Task Pods_that_ran_before_a_restart_of_the_simulator_run_on()
    {
        await using var before = await LiveCluster.StartAsync();
        before.Create("deployments.apps", Objects.Deployment("web", 2));
        await before.Until(() => before.List("pods").Count(Pods.IsReady) == 2);
        var pods = before.List("pods").Select(p => p.ResourceVersion()).ToList();
        await before.Controllers.StopAsync(TestContext.Current.CancellationToken);

        await using var after = new LiveCluster(api: before.Api, clock: before.Clock);
        await after.Settle();
        await after.Settle();
        Assert.Equal(pods, after.List("pods").Select(p => p.ResourceVersion()));
        var victim = after.List("pods")[0].Name();
        after.Delete("pods", victim);
        await after.Until(() => after.Get("pods", victim) is null && after.List("pods").Count(Pods.IsReady) == 2);
    }

    [Fact]
    public async Task Pods_can_be_told_to_crash()
    {
        await using var cluster = await LiveCluster.StartAsync();
        cluster.Create("pods", Objects.Pod("victim"));
        cluster.Create("pods", Objects.Pod("other"));
        await cluster.Until(() => cluster.List("pods").Count(Pods.IsReady) == 2);
        cluster.Controllers.Controls.CrashPods(LiveCluster.Namespace, "app=victim");
        await cluster.Until(() => Restarts(cluster, "victim") == 1 && Pods.IsReady(cluster.Get("pods", "victim")!));
        Assert.Equal(0, Restarts(cluster, "other"));
    }

    [Fact]
    public async Task An_image_can_be_made_to_fail_and_comes_back_by_itself()
    {
        await using var cluster = await LiveCluster.StartAsync();
        cluster.Controllers.Controls.MissingImages = ["nginx"];
        cluster.Create("pods", Objects.Pod("pulling"));
        await cluster.Until(() => Waiting(cluster, "pulling") == "ErrImagePull");
        await cluster.Until(() => Waiting(cluster, "pulling") == "ImagePullBackOff");
        cluster.Controllers.Controls.MissingImages = [];
        await cluster.Until(() => Pods.IsReady(cluster.Get("pods", "pulling")!));
    }

    private static JsonObject? Status(LiveCluster cluster, string name, string list = "containerStatuses") =>
        cluster.Get("pods", name).Items("status", list).FirstOrDefault();

    private static string? Waiting(LiveCluster cluster, string name) =>
        Status(cluster, name).Text("state", "waiting", "reason");

    private static string? Message(LiveCluster cluster, string name) =>
        Status(cluster, name).Text("state", "waiting", "message");

    private static int Restarts(LiveCluster cluster, string name) => Status(cluster, name).Int("restartCount");

    private static string? InitWaiting(LiveCluster cluster, string name) =>
        cluster.Get("pods", name).Items("status", "initContainerStatuses").Last().Text("state", "waiting", "reason");
}
