using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;

namespace Cloud.Simulator.ApiServers.Defaulting;

/// <summary>What workloads say when their author left it out.</summary>
public static class WorkloadDefaults
{
    public static void Deployment(JsonObject spec)
    {
        spec.Default("replicas", 1);
        spec.Default("revisionHistoryLimit", 10);
        spec.Default("progressDeadlineSeconds", 600);
        var strategy = spec.Ensure("strategy");
        strategy.Default("type", "RollingUpdate");
        if (strategy.Text("type") == "RollingUpdate")
        {
            var rolling = strategy.Ensure("rollingUpdate");
            rolling.Default("maxSurge", "25%");
            rolling.Default("maxUnavailable", "25%");
        }
        Template(spec);
    }

    public static void ReplicaSet(JsonObject spec)
    {
        spec.Default("replicas", 1);
        Template(spec);
    }

    public static void StatefulSet(JsonObject spec)
    {
        spec.Default("replicas", 1);
        spec.Default("podManagementPolicy", "OrderedReady");
        spec.Default("revisionHistoryLimit", 10);
        var strategy = spec.Ensure("updateStrategy");
        strategy.Default("type", "RollingUpdate");
        if (strategy.Text("type") == "RollingUpdate") strategy.Ensure("rollingUpdate").Default("partition", 0);
        var retention = spec.Ensure("persistentVolumeClaimRetentionPolicy");
        retention.Default("whenDeleted", "Retain");
        retention.Default("whenScaled", "Retain");
        foreach (var claim in (spec.ListAt("volumeClaimTemplates") ?? []).OfType<JsonObject>())
        {
            claim.Ensure("spec").Default("volumeMode", "Filesystem");
            claim.Ensure("status").Default("phase", "Pending");
        }
        Template(spec);
    }

    public static void DaemonSet(JsonObject spec)
    {
        spec.Default("revisionHistoryLimit", 10);
        var strategy = spec.Ensure("updateStrategy");
        strategy.Default("type", "RollingUpdate");
        if (strategy.Text("type") == "RollingUpdate")
        {
            strategy.Ensure("rollingUpdate").Default("maxUnavailable", 1);
            strategy.Ensure("rollingUpdate").Default("maxSurge", 0);
        }
        Template(spec);
    }

    public static void Job(JsonObject job)
    {
        var spec = job.Ensure("spec");
        JobSpec(spec);
        if (spec.Flag("manualSelector")) return;
        var uid = job.Text("metadata", "uid") ?? "";
        var labels = spec.Ensure("template").Metadata().Ensure("labels");
        labels.Default("batch.kubernetes.io/controller-uid", uid);
        labels.Default("controller-uid", uid);
        labels.Default("batch.kubernetes.io/job-name", job.NameOf());
        labels.Default("job-name", job.NameOf());
        spec.Default("selector", new JsonObject
        {
            ["matchLabels"] = new JsonObject { ["batch.kubernetes.io/controller-uid"] = uid },
        });
    }

    public static void CronJob(JsonObject spec)
    {
        spec.Default("concurrencyPolicy", "Allow");
        spec.Default("suspend", false);
        spec.Default("successfulJobsHistoryLimit", 3);
        spec.Default("failedJobsHistoryLimit", 1);
        // The Job made from the template gets its own defaults, so only the pod is filled in here.
        Template(spec.Ensure("jobTemplate").Ensure("spec"));
    }

    private static void JobSpec(JsonObject spec)
    {
        // A work queue leaves completions open; only when both are missing is it one pod, once.
        if (spec["completions"] is null && spec["parallelism"] is null) spec["completions"] = 1;
        spec.Default("parallelism", 1);
        spec.Default("backoffLimit", 6);
        spec.Default("completionMode", "NonIndexed");
        spec.Default("suspend", false);
        spec.Default("podReplacementPolicy", "TerminatingOrFailed");
        Template(spec);
    }

    private static void Template(JsonObject spec) => PodDefaults.Apply(spec.Ensure("template").Ensure("spec"));
}
