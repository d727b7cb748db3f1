using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers;

namespace Cloud.Simulator.Controllers;

/// <summary>
/// Runs a Job's pods until enough have succeeded or too many have failed, and clears it away after its time.
/// </summary>
internal sealed class JobController(ControllerScope scope) : IController
{
    private const string Component = "job-controller";
    private const int DefaultBackOffLimit = 6;
    private static readonly TimeSpan FirstBackOff = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LongestBackOff = TimeSpan.FromMinutes(10);

    public Lane Lane => Lane.Owners;

    public void Observe(Change change)
    {
        if (change.Key.Resource == Resources.Jobs) scope.Loop.Enqueue(this, change.Key);
        if (change.Key.Resource != Resources.Pods) return;
        var uid = (change.New ?? change.Old!).ControllerUid();
        if (uid is not null && scope.Objects.ByUid(uid, out var owner) is not null && owner.Resource == Resources.Jobs)
            scope.Loop.Enqueue(this, owner);
    }

    public void Reconcile(ObjectKey key)
    {
        if (scope.Objects.Get(key) is not { } job || job.IsDeleting()) return;
        if (FinishedAt(job) is { } finished)
        {
            Expire(key, job, finished);
            return;
        }
        var pods = scope.Objects.OwnedBy(job.Uid(), Resources.Pods).ToList();
        var status = job["status"]?.DeepClone() as JsonObject ?? [];
        status["startTime"] ??= JsonFields.Stamp(scope.Now);
        // Pods that someone removed after they ended still count: the status remembers them.
        var counts = new Counts(
            pods.Where(Pods.IsActive).ToList(),
            Math.Max(pods.Count(p => Pods.Phase(p) == "Succeeded"), status.Int("succeeded")),
            Math.Max(pods.Count(p => Pods.Phase(p) == "Failed"), status.Int("failed")));
        if (Verdict(job, status, pods, counts) is { } verdict) Finish(job, status, counts, verdict);
        else KeepRunning(key, job, status, pods, counts);
    }

    private static DateTimeOffset? FinishedAt(JsonObject job) =>
        (Conditions.IsTrue(job["status"], "Complete") ? Conditions.Find(job["status"], "Complete")
            : Conditions.IsTrue(job["status"], "Failed") ? Conditions.Find(job["status"], "Failed")
            : null).Time("lastTransitionTime");

    private void Expire(ObjectKey key, JsonObject job, DateTimeOffset finished)
    {
        if (job.Number("spec", "ttlSecondsAfterFinished") is not { } seconds) return;
        var left = finished + TimeSpan.FromSeconds(seconds) - scope.Now;
        if (left > TimeSpan.Zero) scope.Loop.EnqueueAfter(this, key, left);
        else scope.Objects.Delete(key, job, "Foreground");
    }

    private Outcome? Verdict(JsonObject job, JsonObject status, List<JsonObject> pods, Counts counts)
    {
        var completions = job.Number("spec", "completions");
        if (completions is { } wanted ? counts.Succeeded >= wanted : counts.Succeeded > 0 && counts.Active.Count == 0)
            return new Outcome(true, "CompletionsReached", "Reached expected number of succeeded pods");
        var restarts = pods.Where(Pods.IsActive).SelectMany(p => p.Items("status", "containerStatuses"))
            .Sum(c => c.Int("restartCount"));
        var limit = job.Number("spec", "backoffLimit") ?? DefaultBackOffLimit;
        if (counts.Failed + restarts > limit)
            return new Outcome(false, "BackoffLimitExceeded", "Job has reached the specified backoff limit");
        if (job.Number("spec", "activeDeadlineSeconds") is { } deadline
            && status.Time("startTime") + TimeSpan.FromSeconds(deadline) <= scope.Now)
            return new Outcome(false, "DeadlineExceeded", "Job was active longer than specified deadline");
        return null;
    }

    private void Finish(JsonObject job, JsonObject status, Counts counts, Outcome outcome)
    {
        foreach (var pod in counts.Active)
            scope.Objects.Delete(new(Resources.Pods, pod.Namespace(), pod.Name()), pod);
        WriteCounts(status, counts with { Active = [] });
        var (first, last) = outcome.Succeeded ? ("SuccessCriteriaMet", "Complete") : ("FailureTarget", "Failed");
        Conditions.Set(status, first, true, outcome.Reason, outcome.Message, scope.Now);
        Conditions.Set(status, last, true, outcome.Reason, outcome.Message, scope.Now);
        if (outcome.Succeeded) status["completionTime"] = JsonFields.Stamp(scope.Now);
        scope.Objects.UpdateStatus(Resources.Jobs, job, status);
        if (outcome.Succeeded) scope.Events.Normal(job, Component, "Completed", "Job completed");
        else scope.Events.Warning(job, Component, outcome.Reason, outcome.Message);
    }

    private void KeepRunning(ObjectKey key, JsonObject job, JsonObject status, List<JsonObject> pods, Counts counts)
    {
        var suspended = job.Flag("spec", "suspend") == true;
        var parallelism = (int)(job.Number("spec", "parallelism") ?? 1);
        var remaining = job.Number("spec", "completions") is { } completions
            ? (int)Math.Min(parallelism, completions - counts.Succeeded)
            : counts.Succeeded > 0 ? counts.Active.Count : parallelism;
        if (suspended) remaining = 0;
        foreach (var extra in counts.Active.OrderBy(Pods.DeletionRank).Take(counts.Active.Count - remaining).ToList())
        {
            scope.Objects.Delete(new(Resources.Pods, extra.Namespace(), extra.Name()), extra);
            counts.Active.Remove(extra);
        }
        var wait = BackOff(pods);
        if (counts.Active.Count < remaining && wait > TimeSpan.Zero) scope.Loop.EnqueueAfter(this, key, wait);
        else CreatePods(key, job, counts, remaining);
        WriteCounts(status, counts);
        if (suspended) Conditions.Set(status, "Suspended", true, "JobSuspended", "Job suspended", scope.Now);
        else if (Conditions.Find(status, "Suspended") is not null)
            Conditions.Set(status, "Suspended", false, "JobResumed", "Job resumed", scope.Now);
        scope.Objects.UpdateStatus(Resources.Jobs, job, status);
        if (job.Number("spec", "activeDeadlineSeconds") is not { } deadline) return;
        var end = status.Time("startTime")!.Value + TimeSpan.FromSeconds(deadline);
        scope.Loop.EnqueueAfter(this, key, end - scope.Now);
    }

    private void CreatePods(ObjectKey key, JsonObject job, Counts counts, int wanted)
    {
        try
        {
            while (counts.Active.Count < wanted)
            {
                var pod = scope.Objects.Create(Resources.Pods, NewPod(job));
                counts.Active.Add(pod);
                scope.Events.Normal(job, Component, "SuccessfulCreate", $"Created pod: {pod.Name()}");
            }
        }
        catch (ApiException problem)
        {
            scope.Events.Warning(job, Component, "FailedCreate", $"Error creating: {problem.Message}");
            scope.Loop.EnqueueAfter(this, key, Pods.CreateRetry);
        }
    }

    private JsonObject NewPod(JsonObject job)
    {
        var pod = Pods.FromTemplate(job, scope.Names.After(job.Name() + "-"));
        var labels = pod.Child("metadata").Child("labels");
        foreach (var prefix in (string[])["", "batch.kubernetes.io/"])
        {
            labels[prefix + "job-name"] = job.Name();
            labels[prefix + "controller-uid"] = job.Uid();
        }
        return pod;
    }

    private static void WriteCounts(JsonObject status, Counts counts)
    {
        status["active"] = counts.Active.Count;
        status["ready"] = counts.Active.Count(Pods.IsReady);
        status["succeeded"] = counts.Succeeded;
        status["failed"] = counts.Failed;
        status["terminating"] = 0;
        status["uncountedTerminatedPods"] ??= new JsonObject();
        foreach (var name in (string[])["active", "succeeded", "failed"])
        {
            if (status.Int(name) == 0) status.Remove(name);
        }
    }

    /// <summary>How long to wait since the last failure: 10 s doubling with each failed pod.</summary>
    private TimeSpan BackOff(List<JsonObject> pods)
    {
        var failed = pods.Where(p => Pods.Phase(p) == "Failed").ToList();
        if (failed.Count == 0) return TimeSpan.Zero;
        var ticks = Math.Min(FirstBackOff.Ticks << Math.Min(failed.Count - 1, 16), LongestBackOff.Ticks);
        var last = failed.SelectMany(p => p.Items("status", "containerStatuses"))
            .Select(c => c.Time("state", "terminated", "finishedAt") ?? DateTimeOffset.MinValue)
            .DefaultIfEmpty(DateTimeOffset.MinValue).Max();
        return last + TimeSpan.FromTicks(ticks) - scope.Now;
    }

    private sealed record Counts(List<JsonObject> Active, int Succeeded, int Failed);

    private sealed record Outcome(bool Succeeded, string Reason, string Message);
}
