using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers;

namespace Cloud.Simulator.Controllers;

/// <summary>Keeps as many pods as a ReplicaSet asks for, and counts how they are.</summary>
internal sealed class ReplicaSetController(ControllerScope scope) : IController
{
    /// <summary>Pods created or deleted in one go; the rest follows in the next turn.</summary>
    private const int Burst = 500;

    public Lane Lane => Lane.Owners;

    public void Observe(Change change)
    {
        if (change.Key.Resource == Resources.ReplicaSets)
        {
            scope.Loop.Enqueue(this, change.Key);
            return;
        }
        if (change.Key.Resource != Resources.Pods) return;
        EnqueueOwner(change.Old);
        EnqueueOwner(change.New);
    }

    public void Reconcile(ObjectKey key)
    {
        if (scope.Objects.Get(key) is not { } set) return;
        var pods = Owners.Claim(scope, set, Resources.Pods).Where(Pods.IsActive).ToList();
        string? failure = null;
        if (!set.IsDeleting()) failure = Scale(set, pods);
        if (scope.Objects.Get(key) is { } current) WriteStatus(key, current, pods, failure);
    }

    private void EnqueueOwner(JsonObject? pod)
    {
        if (pod is null) return;
        if (pod.ControllerUid() is { } uid)
        {
            if (scope.Objects.ByUid(uid, out var owner) is not null && owner.Resource == Resources.ReplicaSets)
                scope.Loop.Enqueue(this, owner);
            return;
        }
        foreach (var set in scope.Objects[Resources.ReplicaSets].In(pod.Namespace()))
        {
            if (LabelSelectors.Matches(set.At("spec", "selector"), pod.Labels()))
                scope.Loop.Enqueue(this, new(Resources.ReplicaSets, set.Namespace(), set.Name()));
        }
    }

    /// <summary>Creates or deletes pods, keeping the list current; returns why creating failed, if it did.</summary>
    private string? Scale(JsonObject set, List<JsonObject> pods)
    {
        var missing = (int)(set.Number("spec", "replicas") ?? 1) - pods.Count;
        if (missing > 0) return CreatePods(set, Math.Min(missing, Burst), pods);
        if (missing < 0) DeletePods(set, Math.Min(-missing, Burst), pods);
        return null;
    }

    private string? CreatePods(JsonObject set, int count, List<JsonObject> pods)
    {
        try
        {
            for (var i = 0; i < count; i++)
            {
                var wanted = Pods.FromTemplate(set, scope.Names.After(set.Name() + "-"));
                var pod = scope.Objects.Create(Resources.Pods, wanted);
                pods.Add(pod);
                scope.Events.Normal(set, "replicaset-controller", "SuccessfulCreate", $"Created pod: {pod.Name()}");
            }
            return null;
        }
        catch (ApiException problem)
        {
            scope.Events.Warning(set, "replicaset-controller", "FailedCreate", $"Error creating: {problem.Message}");
            scope.Loop.EnqueueAfter(this, new(Resources.ReplicaSets, set.Namespace(), set.Name()), Pods.CreateRetry);
            return problem.Message;
        }
    }

    private void DeletePods(JsonObject set, int count, List<JsonObject> pods)
    {
        foreach (var pod in pods.OrderBy(Pods.DeletionRank).ThenByDescending(p => p.CreatedAt()).Take(count).ToList())
        {
            scope.Objects.Delete(new(Resources.Pods, pod.Namespace(), pod.Name()), pod);
            pods.Remove(pod);
            scope.Events.Normal(set, "replicaset-controller", "SuccessfulDelete", $"Deleted pod: {pod.Name()}");
        }
    }

    private void WriteStatus(ObjectKey key, JsonObject set, List<JsonObject> pods, string? failure)
    {
        var minReady = TimeSpan.FromSeconds(set.Int("spec", "minReadySeconds"));
        var templateLabels = set.At("spec", "template", "metadata", "labels");
        var available = 0;
        foreach (var pod in pods)
        {
            if (Pods.ReadySince(pod) is not { } since) continue;
            var wait = since + minReady - scope.Now;
            if (wait <= TimeSpan.Zero) available++;
            else scope.Loop.EnqueueAfter(this, key, wait);
        }
        var status = set["status"]?.DeepClone() as JsonObject ?? [];
        status["replicas"] = pods.Count;
        status["fullyLabeledReplicas"] = pods.Count(p => LabelSelectors.MatchesMap(templateLabels, p.Labels()));
        status["readyReplicas"] = pods.Count(p => Pods.ReadySince(p) is not null);
        status["availableReplicas"] = available;
        status["observedGeneration"] = set.Generation();
        if (failure is not null)
            Conditions.Set(status, "ReplicaFailure", true, "FailedCreate", failure, scope.Now);
        else Conditions.Remove(status, "ReplicaFailure");
        Tidy(status);
        scope.Objects.UpdateStatus(Resources.ReplicaSets, set, status);
    }

    // A real server leaves out what is zero or empty, except replicas.
    internal static void Tidy(JsonObject status)
    {
        foreach (var (name, value) in status.ToList())
        {
            if (name == "replicas") continue;
            var empty = value is JsonArray { Count: 0 } || (value is JsonValue && status.Number(name) == 0);
            if (empty) status.Remove(name);
        }
    }
}
