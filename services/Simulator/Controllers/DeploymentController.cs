using System.Text.Json.Nodes;

namespace Cloud.Simulator.Controllers;

/// <summary>
/// Makes a Deployment's ReplicaSets: one per pod template, the newest growing while the older ones shrink as the
/// strategy allows, and old ones kept for as long as its history goes.
/// </summary>
internal sealed class DeploymentController(ControllerScope scope) : IController
{
    private const int DefaultHistory = 10;
    private readonly DeploymentScaling _scaling = new(scope);
    private readonly DeploymentStatus _status = new(scope);

    public Lane Lane => Lane.Owners;

    public void Observe(Change change)
    {
        if (change.Key.Resource == Resources.Deployments) scope.Loop.Enqueue(this, change.Key);
        if (change.Key.Resource == Resources.ReplicaSets)
        {
            EnqueueOwner(change.Old);
            EnqueueOwner(change.New);
        }
        // Recreate waits for the last old pod to be gone, which no ReplicaSet status tells.
        if (change.Key.Resource == Resources.Pods && change.New is null
            && scope.Objects.ByUid(change.Old!.ControllerUid() ?? "", out _) is { } set) EnqueueOwner(set);
    }

    public void Reconcile(ObjectKey key)
    {
        if (scope.Objects.Get(key) is not { } deployment) return;
        var rollout = Rollout.Of(deployment, Owners.Claim(scope, deployment, Resources.ReplicaSets));
        if (!deployment.IsDeleting())
        {
            Advance(rollout);
            if (scope.Objects.Get(key) is not { } current) return;
            deployment = current;
        }
        if (_status.Write(deployment, rollout) is { } again) scope.Loop.EnqueueAfter(this, key, again);
        CleanUp(deployment, rollout);
    }

    private void EnqueueOwner(JsonObject? set)
    {
        if (set is null) return;
        if (set.ControllerUid() is { } uid)
        {
            if (scope.Objects.ByUid(uid, out var owner) is not null && owner.Resource == Resources.Deployments)
                scope.Loop.Enqueue(this, owner);
            return;
        }
        foreach (var deployment in scope.Objects[Resources.Deployments].In(set.Namespace()))
        {
            if (LabelSelectors.Matches(deployment.At("spec", "selector"), set.Labels()))
                scope.Loop.Enqueue(this, new(Resources.Deployments, deployment.Namespace(), deployment.Name()));
        }
    }

    private void Advance(Rollout rollout)
    {
        if (rollout.Paused)
        {
            if (rollout.Newest is not null) NumberRevision(rollout);
            _scaling.Spread(rollout);
            return;
        }
        var waitsForOldPods = rollout.Recreate && rollout.Newest is null
            && rollout.Old.Any(s => s.Int("spec", "replicas") > 0 || HasPods(s));
        if (!waitsForOldPods) EnsureNewest(rollout);
        if (rollout.IsScaling)
        {
            _scaling.Spread(rollout);
            return;
        }
        if (rollout.Recreate) Recreate(rollout);
        else _scaling.Roll(rollout);
    }

    private void Recreate(Rollout rollout)
    {
        foreach (var old in rollout.Old.ToList()) _scaling.SetReplicas(rollout, old, 0);
        if (rollout.Old.Any(HasPods)) return;
        if (rollout.Newest is null) EnsureNewest(rollout);
        _scaling.SetReplicas(rollout, rollout.Newest!, rollout.Wanted);
    }

    private bool HasPods(JsonObject set) =>
        scope.Objects.OwnedBy(set.Uid(), Resources.Pods).Any(p => !Pods.IsFinished(p));

    private void EnsureNewest(Rollout rollout)
    {
        if (rollout.Newest is null) CreateNewest(rollout);
        NumberRevision(rollout);
    }

    private void CreateNewest(Rollout rollout)
    {
        var deployment = rollout.Deployment;
        var template = (JsonObject)deployment.At("spec", "template")!.DeepClone();
        template.Child("metadata").Child("labels")[Rollout.HashLabel] = rollout.Hash;
        var selector = (JsonObject)deployment.At("spec", "selector")!.DeepClone();
        selector.Child("matchLabels")[Rollout.HashLabel] = rollout.Hash;
        var replicas = rollout.Recreate ? rollout.Wanted : rollout.RoomForNew(0);
        var set = new JsonObject
        {
            ["apiVersion"] = "apps/v1",
            ["kind"] = "ReplicaSet",
            ["metadata"] = new JsonObject
            {
                ["name"] = $"{deployment.Name()}-{rollout.Hash}",
                ["namespace"] = deployment.Namespace(),
                ["labels"] = template.At("metadata", "labels")!.DeepClone(),
                ["annotations"] = rollout.AnnotationsForSets(rollout.NextRevision),
                ["ownerReferences"] = Owners.ControlledBy(deployment),
            },
            ["spec"] = new JsonObject
            {
                ["replicas"] = replicas,
                ["minReadySeconds"] = deployment.Int("spec", "minReadySeconds"),
                ["selector"] = selector,
                ["template"] = template,
            },
        };
        rollout.Newest = scope.Objects.Create(Resources.ReplicaSets, set);
        rollout.CreatedNewest = true;
        if (replicas > 0)
            scope.Events.Normal(deployment, "deployment-controller", "ScalingReplicaSet",
                $"Scaled up replica set {set.Name()} from 0 to {replicas}");
    }

    /// <summary>
    /// Gives the newest set the highest revision (a roll back renumbers it), and the Deployment the same.
    /// </summary>
    private void NumberRevision(Rollout rollout)
    {
        var newest = rollout.Newest!;
        var highestOld = rollout.Old.Select(Rollout.Revision).DefaultIfEmpty(0).Max();
        var revision = Math.Max(Rollout.Revision(newest), highestOld + 1);
        var annotations = rollout.AnnotationsForSets(revision);
        var minReady = rollout.Deployment.Int("spec", "minReadySeconds");
        if (!Holds(newest, annotations) || newest.Int("spec", "minReadySeconds") != minReady)
        {
            // The sizes that the set was last given stay: they tell a later pass whether the Deployment was scaled.
            var changed = newest.Copy();
            foreach (var (name, value) in annotations)
            {
                if (name is Rollout.DesiredAnnotation or Rollout.MaxAnnotation) continue;
                changed.Child("metadata").Child("annotations")[name] = value!.DeepClone();
            }
            changed.Child("spec")["minReadySeconds"] = minReady;
            rollout.Newest = scope.Objects.Update(Resources.ReplicaSets, changed);
        }
        var text = revision.ToString(System.Globalization.CultureInfo.InvariantCulture);
        if (rollout.Deployment.Annotation(Rollout.RevisionAnnotation) == text) return;
        var numbered = rollout.Deployment.Copy();
        numbered.Child("metadata").Child("annotations")[Rollout.RevisionAnnotation] = text;
        rollout.Deployment = scope.Objects.Update(Resources.Deployments, numbered);
    }

    private static bool Holds(JsonObject set, JsonObject annotations) => annotations.Pairs().All(pair =>
        pair.Key is Rollout.DesiredAnnotation or Rollout.MaxAnnotation || set.Annotation(pair.Key) == pair.Value);

    private void CleanUp(JsonObject deployment, Rollout rollout)
    {
        if (deployment.IsDeleting() || !rollout.IsComplete) return;
        var keep = (int)(deployment.Number("spec", "revisionHistoryLimit") ?? DefaultHistory);
        var done = rollout.Old.Where(s => s.Int("spec", "replicas") == 0 && s.Int("status", "replicas") == 0
            && s.Int("status", "observedGeneration") >= s.Generation() && !s.IsDeleting());
        foreach (var set in done.OrderByDescending(Rollout.Revision).Skip(keep).ToList())
            scope.Objects.Delete(new(Resources.ReplicaSets, set.Namespace(), set.Name()), set);
    }
}
