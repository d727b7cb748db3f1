using System.Text.Json.Nodes;

namespace Cloud.Simulator.Controllers;

/// <summary>Counts a Deployment's pods by its sets and words its conditions.</summary>
internal sealed class DeploymentStatus(ControllerScope scope)
{
    private const int DefaultDeadlineSeconds = 600;

    /// <summary>Writes the status; returns when to look again for the progress deadline, if it is running.</summary>
    public TimeSpan? Write(JsonObject deployment, Rollout rollout)
    {
        var before = deployment["status"] as JsonObject ?? [];
        var status = before.Copy();
        var sets = rollout.All.ToList();
        var total = sets.Sum(s => s.Int("status", "replicas"));
        var available = sets.Sum(s => s.Int("status", "availableReplicas"));
        status["observedGeneration"] = deployment.Generation();
        status["replicas"] = total;
        status["updatedReplicas"] = rollout.Newest.Int("status", "replicas");
        status["readyReplicas"] = sets.Sum(s => s.Int("status", "readyReplicas"));
        status["availableReplicas"] = available;
        status["unavailableReplicas"] = Math.Max(0, sets.Sum(s => s.Int("spec", "replicas")) - available);
        if (available >= rollout.Least)
            Conditions.Set(status, "Available", true, "MinimumReplicasAvailable",
                "Deployment has minimum availability.", scope.Now, updateTime: true);
        else
            Conditions.Set(status, "Available", false, "MinimumReplicasUnavailable",
                "Deployment does not have minimum availability.", scope.Now, updateTime: true);
        CopyFailure(sets, status);
        var again = Progress(deployment, rollout, before, status);
        ReplicaSetController.Tidy(status);
        if (total == 0) status.Remove("replicas");
        scope.Objects.UpdateStatus(Resources.Deployments, deployment, status);
        return again;
    }

    private void CopyFailure(List<JsonObject> sets, JsonObject status)
    {
        var failure = sets.Select(s => Conditions.Find(s["status"], "ReplicaFailure"))
            .FirstOrDefault(c => c is not null);
        if (failure is null) Conditions.Remove(status, "ReplicaFailure");
        else
            Conditions.Set(status, "ReplicaFailure", true, failure.Text("reason"), failure.Text("message"), scope.Now,
                updateTime: true);
    }

    private TimeSpan? Progress(JsonObject deployment, Rollout rollout, JsonObject before, JsonObject status)
    {
        var named = rollout.Newest is { } newest
            ? $"ReplicaSet \"{newest.Name()}\""
            : $"Deployment \"{deployment.Name()}\"";
        if (rollout.Paused)
        {
            Say(status, null, "DeploymentPaused", "Deployment is paused");
            return null;
        }
        if (Conditions.Find(status, "Progressing").Text("reason") == "DeploymentPaused")
            Say(status, null, "DeploymentResumed", "Deployment is resumed");
        if (rollout.IsComplete)
        {
            Say(status, true, "NewReplicaSetAvailable", $"{named} has successfully progressed.");
            return null;
        }
        if (rollout.CreatedNewest)
        {
            Say(status, true, "NewReplicaSetCreated", $"Created new replica set \"{rollout.Newest!.Name()}\"");
            return Deadline(deployment);
        }
        if (HasMoved(before, status))
        {
            // Refreshed even when the words stay: the deadline counts from the last progress.
            Conditions.Remove(status, "Progressing");
            Say(status, true, "ReplicaSetUpdated", $"{named} is progressing.");
            return Deadline(deployment);
        }
        return CheckDeadline(deployment, named, status);
    }

    private TimeSpan? CheckDeadline(JsonObject deployment, string named, JsonObject status)
    {
        var condition = Conditions.Find(status, "Progressing");
        var reason = condition.Text("reason");
        if (reason is null)
        {
            Say(status, true, "ReplicaSetUpdated", $"{named} is progressing.");
            return Deadline(deployment);
        }
        if (reason is "ProgressDeadlineExceeded" || Deadline(deployment) is not { } deadline) return null;
        if (reason == "NewReplicaSetAvailable") return null;
        var left = (condition.Time("lastUpdateTime") ?? scope.Now) + deadline - scope.Now;
        if (left > TimeSpan.Zero) return left;
        Say(status, false, "ProgressDeadlineExceeded", $"{named} has timed out progressing.");
        return null;
    }

    private static bool HasMoved(JsonObject before, JsonObject status) =>
        status.Int("updatedReplicas") > before.Int("updatedReplicas")
        || status.Int("readyReplicas") > before.Int("readyReplicas")
        || status.Int("availableReplicas") > before.Int("availableReplicas")
        || OldPods(status) < OldPods(before);

    private static int OldPods(JsonObject status) => status.Int("replicas") - status.Int("updatedReplicas");

    private static TimeSpan? Deadline(JsonObject deployment)
    {
        var seconds = deployment.Number("spec", "progressDeadlineSeconds") ?? DefaultDeadlineSeconds;
        return seconds >= int.MaxValue ? null : TimeSpan.FromSeconds(seconds);
    }

    private void Say(JsonObject status, bool? value, string reason, string message)
    {
        var text = value switch { true => "True", false => "False", null => "Unknown" };
        Conditions.Set(status, "Progressing", text, reason, message, scope.Now, updateTime: true);
    }
}
