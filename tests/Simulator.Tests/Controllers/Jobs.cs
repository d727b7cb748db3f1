using Cloud.Simulator.Controllers;
using Xunit;

namespace Cloud.Simulator.Tests.Controllers;

public sealed class Jobs
{
    [Fact]
    public async Task A_job_completes_when_its_pod_does_and_goes_after_its_time()
    {
        await using var cluster = await LiveCluster.StartAsync();
        var job = Objects.Job("task", "true", backoffLimit: 2);
        job["spec"]!["ttlSecondsAfterFinished"] = 60;
        cluster.Create("jobs.batch", job);
        await cluster.Until(() => Is(cluster, "task", "Complete"));
        var status = cluster.Get("jobs.batch", "task")!["status"];
        Assert.Equal(1, status.Int("succeeded"));
        Assert.NotNull(status.Text("completionTime"));
        Assert.Equal("task", Assert.Single(cluster.List("pods")).Labels().Text("job-name"));
        await cluster.Until(() => cluster.Get("jobs.batch", "task") is null && cluster.List("pods").Count == 0);
    }

    [Fact]
    public async Task A_job_that_keeps_failing_fails_for_good_after_its_limit()
    {
        await using var cluster = await LiveCluster.StartAsync();
        cluster.Create("jobs.batch", Objects.Job("task", "false", backoffLimit: 2));
        await cluster.Until(() => Is(cluster, "task", "Failed"));
        var job = cluster.Get("jobs.batch", "task")!;
        Assert.Equal("BackoffLimitExceeded", Conditions.Find(job["status"], "Failed").Text("reason"));
        Assert.Equal(3, job.Int("status", "failed"));
        Assert.Null(job.Text("status", "completionTime"));
        Assert.Equal(3, cluster.List("pods").Count(p => Pods.Phase(p) == "Failed"));
    }

    [Fact]
    public async Task A_job_that_takes_too_long_fails_by_its_deadline()
    {
        await using var cluster = await LiveCluster.StartAsync();
        var job = Objects.Job("task", "sleep 3600", backoffLimit: 0);
        job["spec"]!["activeDeadlineSeconds"] = 30;
        cluster.Create("jobs.batch", job);
        await cluster.Until(() => Is(cluster, "task", "Failed"));
        Assert.Equal("DeadlineExceeded",
            Conditions.Find(cluster.Get("jobs.batch", "task")!["status"], "Failed").Text("reason"));
        await cluster.Until(() => cluster.List("pods").Count == 0);
    }

    private static bool Is(LiveCluster cluster, string name, string condition) =>
        Conditions.IsTrue(cluster.Get("jobs.batch", name)?["status"], condition);
}
