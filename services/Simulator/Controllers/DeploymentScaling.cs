using System.Globalization;
using System.Text.Json.Nodes;

namespace Cloud.Simulator.Controllers;

/// <summary>
/// Sizes the ReplicaSets of a Deployment: one rolling step at a time, or in proportion when it is scaled.
/// </summary>
internal sealed class DeploymentScaling(ControllerScope scope)
{
    /// <summary>
    /// One step of a rolling update: the newest grows into the room there is; old ones shrink by what may be missing,
    /// pods that are not available first. Never fewer available than the strategy's least through our doing.
    /// </summary>
    public void Roll(Rollout rollout)
    {
        var newest = rollout.Newest!;
        var has = newest.Int("spec", "replicas");
        if (has > rollout.Wanted) SetReplicas(rollout, newest, rollout.Wanted);
        else if (has < rollout.Wanted) SetReplicas(rollout, newest, rollout.RoomForNew(has));
        ShrinkOld(rollout);
    }

    /// <summary>
    /// Gives a Deployment's sets their share of its new size without changing the templates' balance.
    /// </summary>
    public void Spread(Rollout rollout)
    {
        var active = rollout.All.Where(s => s.Int("spec", "replicas") > 0).ToList();
        if (active.Count <= 1)
        {
            var only = active.FirstOrDefault() ?? rollout.Newest ?? rollout.Old.LastOrDefault();
            if (only is not null) SetReplicas(rollout, only, rollout.Wanted);
            return;
        }
        if (rollout.Newest is { } newest && newest.Int("status", "availableReplicas") >= rollout.Wanted
            && newest.Int("spec", "replicas") == rollout.Wanted)
        {
            foreach (var old in rollout.Old.ToList()) SetReplicas(rollout, old, 0);
            SetReplicas(rollout, newest, rollout.Wanted);
            return;
        }
        if (!rollout.Recreate) SpreadInProportion(rollout, active);
    }

    /// <summary>Sets the size of one set, and notes for which size of the Deployment that was.</summary>
    public void SetReplicas(Rollout rollout, JsonObject set, int replicas)
    {
        var before = set.Int("spec", "replicas");
        var desired = rollout.Wanted.ToString(CultureInfo.InvariantCulture);
        var most = rollout.Most.ToString(CultureInfo.InvariantCulture);
        if (before == replicas && set.Annotation(Rollout.DesiredAnnotation) == desired
            && set.Annotation(Rollout.MaxAnnotation) == most) return;
        var changed = set.Copy();
        changed.Child("spec")["replicas"] = replicas;
        changed.Child("metadata").Child("annotations")[Rollout.DesiredAnnotation] = desired;
        changed.Child("metadata").Child("annotations")[Rollout.MaxAnnotation] = most;
        var written = scope.Objects.Update(Resources.ReplicaSets, changed);
        var at = rollout.Old.FindIndex(s => s.Uid() == set.Uid());
        if (at >= 0) rollout.Old[at] = written;
        else rollout.Newest = written;
        if (before == replicas) return;
        var way = replicas > before ? "up" : "down";
        scope.Events.Normal(rollout.Deployment, "deployment-controller", "ScalingReplicaSet",
            $"Scaled {way} replica set {set.Name()} from {before} to {replicas}");
    }

    private void ShrinkOld(Rollout rollout)
    {
        if (rollout.Old.Sum(s => s.Int("spec", "replicas")) == 0) return;
        var newest = rollout.Newest!;
        var newNotAvailable = newest.Int("spec", "replicas") - newest.Int("status", "availableReplicas");
        var all = rollout.All.Sum(s => s.Int("spec", "replicas"));
        var spare = all - rollout.Least - newNotAvailable;
        if (spare <= 0) return;
        foreach (var old in rollout.Old.ToList())
        {
            var has = old.Int("spec", "replicas");
            var sick = Math.Min(Math.Max(0, has - old.Int("status", "availableReplicas")), spare);
            if (sick == 0) continue;
            SetReplicas(rollout, old, has - sick);
            spare -= sick;
        }
        var available = rollout.All.Sum(s => s.Int("status", "availableReplicas"));
        var surplus = available - rollout.Least;
        foreach (var old in rollout.Old.ToList())
        {
            if (surplus <= 0) return;
            var has = old.Int("spec", "replicas");
            var less = Math.Min(has, surplus);
            if (less == 0) continue;
            SetReplicas(rollout, old, has - less);
            surplus -= less;
        }
    }

    private void SpreadInProportion(Rollout rollout, List<JsonObject> active)
    {
        var total = active.Sum(s => s.Int("spec", "replicas"));
        var wanted = rollout.Wanted > 0 ? rollout.Most : 0;
        var toAdd = wanted - total;
        var left = toAdd;
        var bySize = (toAdd > 0
            ? active.OrderByDescending(s => s.Int("spec", "replicas")).ThenByDescending(s => s.CreatedAt())
            : active.OrderByDescending(s => s.Int("spec", "replicas")).ThenBy(s => s.CreatedAt())).ToList();
        var sizes = new int[bySize.Count];
        for (var i = 0; i < bySize.Count; i++)
        {
            var has = bySize[i].Int("spec", "replicas");
            var share = (int)Math.Round((double)has * toAdd / total, MidpointRounding.AwayFromZero);
            share = toAdd > 0 ? Math.Min(share, left) : Math.Max(share, left);
            sizes[i] = Math.Max(0, has + share);
            left -= sizes[i] - has;
        }
        // What rounding left over goes to the largest.
        sizes[0] = Math.Max(0, sizes[0] + left);
        for (var i = 0; i < bySize.Count; i++) SetReplicas(rollout, bySize[i], sizes[i]);
    }
}
