using System.Text.Json.Nodes;

namespace Cloud.Simulator.Controllers;

/// <summary>
/// Deletes what its owners leave behind, and works the two finalizers that deletion may ask for:
/// <c>foregroundDeletion</c> (dependents first) and <c>orphan</c> (dependents stay).
/// </summary>
/// <remarks>
/// An owner counts as absent when its kind is known here and no object of its uid exists where the dependent can see
/// it: in the same namespace or cluster-scoped. A dependent whose owner is of a kind not served is left alone, as is a
/// cluster-scoped dependent of a namespaced owner; it is thought of again when another kind comes to be served.
/// </remarks>
internal sealed class GarbageCollector(ControllerScope scope) : IController
{
    private const string Foreground = "foregroundDeletion";
    private const string Orphan = "orphan";

    private readonly HashSet<ObjectKey> _undecided = [];

    public Lane Lane => Lane.Owners;

    public void Observe(Change change)
    {
        if (change.New is not { } obj)
        {
            _undecided.Remove(change.Key);
            foreach (var dependent in scope.Objects.DependentsOf(change.Old!.Uid()))
                scope.Loop.Enqueue(this, dependent);
            foreach (var reference in change.Old!.OwnerReferences())
            {
                var waiting = scope.Objects.ByUid(reference.Text("uid") ?? "", out var owner);
                if (waiting is not null && waiting.IsDeleting())
                    scope.Loop.Enqueue(this, owner);
            }
            return;
        }
        if (obj.IsDeleting() && (obj.HasFinalizer(Foreground) || obj.HasFinalizer(Orphan)))
            scope.Loop.Enqueue(this, change.Key);
        else if (obj.OwnerReferences().Any(NeedsThought)) scope.Loop.Enqueue(this, change.Key);
    }

    /// <summary>Thinks again of what had an owner of a kind that was not known: now it may be.</summary>
    public void OnKindKnown()
    {
        foreach (var undecided in _undecided) scope.Loop.Enqueue(this, undecided);
    }

    public void Reconcile(ObjectKey key)
    {
        _undecided.Remove(key);
        if (scope.Objects.Get(key) is not { } obj) return;
        if (obj.IsDeleting())
        {
            if (obj.HasFinalizer(Orphan)) OrphanDependents(key, obj);
            else if (obj.HasFinalizer(Foreground)) DeleteDependents(key, obj);
            return;
        }
        var references = obj.OwnerReferences().ToList();
        if (references.Count == 0) return;
        var standing = references.ToLookup(r => StandingOf(obj, r));
        if (standing[Standing.Unknown].Any())
        {
            _undecided.Add(key);
            return;
        }
        if (standing[Standing.Present].Any())
        {
            KeepReferences(key, obj, standing[Standing.Present].ToList(), references.Count);
            return;
        }
        var waited = standing[Standing.Waiting].Any();
        var hasDependents = scope.Objects.DependentsOf(obj.Uid()).Count > 0;
        scope.Objects.Delete(key, obj, PolicyFor(obj, waited && hasDependents));
    }

    private static string PolicyFor(JsonObject obj, bool ownerWaits)
    {
        if (obj.HasFinalizer(Orphan)) return "Orphan";
        return ownerWaits || obj.HasFinalizer(Foreground) ? "Foreground" : "Background";
    }

    private bool NeedsThought(JsonObject reference) =>
        scope.Objects.ByUid(reference.Text("uid") ?? "", out _) is not { } owner
        || (owner.IsDeleting() && owner.HasFinalizer(Foreground));

    private Standing StandingOf(JsonObject obj, JsonObject reference)
    {
        var kind = reference.Text("kind");
        var version = reference.Text("apiVersion") ?? "";
        var slash = version.IndexOf('/', StringComparison.Ordinal);
        var group = slash < 0 ? "" : version[..slash];
        var cache = scope.Objects.Caches.FirstOrDefault(c => c.Kind.Kind == kind && c.Kind.Group == group);
        if (cache is null) return Standing.Unknown;
        if (cache.Kind.Namespaced && obj.Namespace() is null) return Standing.Unknown;
        var ns = cache.Kind.Namespaced ? obj.Namespace() : null;
        var owner = cache.Get(ns, reference.Text("name") ?? "");
        if (owner is null || owner.Uid() != reference.Text("uid"))
        {
            // Two watches may bring the dependent before its owner: only the API itself can say that an owner is gone.
            owner = scope.Objects.Api.Get(cache.Kind.Resource, ns, reference.Text("name") ?? "");
            if (owner is null || owner.Uid() != reference.Text("uid")) return Standing.Absent;
            cache.Put(owner);
        }
        var waiting = owner.IsDeleting() && owner.HasFinalizer(Foreground);
        return waiting ? Standing.Waiting : Standing.Present;
    }

    /// <summary>Some owners stay: the object stays too, and forgets the others.</summary>
    private void KeepReferences(ObjectKey key, JsonObject obj, List<JsonObject> kept, int before)
    {
        if (kept.Count == before) return;
        var changed = obj.Copy();
        changed.Child("metadata")["ownerReferences"] = JsonFields.ToArray(kept.Select(r => r.DeepClone()));
        scope.Objects.Update(key.Resource, changed);
    }

    private void OrphanDependents(ObjectKey key, JsonObject owner)
    {
        foreach (var dependentKey in scope.Objects.DependentsOf(owner.Uid()))
        {
            if (scope.Objects.Get(dependentKey) is not { } dependent) continue;
            var kept = dependent.OwnerReferences().Where(r => r.Text("uid") != owner.Uid()).ToList();
            KeepReferences(dependentKey, dependent, kept, dependent.OwnerReferences().Count());
        }
        RemoveFinalizer(key, owner, Orphan);
    }

    private void DeleteDependents(ObjectKey key, JsonObject owner)
    {
        var blocked = false;
        foreach (var dependentKey in scope.Objects.DependentsOf(owner.Uid()))
        {
            if (scope.Objects.Get(dependentKey) is not { } dependent) continue;
            if (!dependent.IsDeleting()) scope.Loop.Enqueue(this, dependentKey);
            blocked |= dependent.OwnerReferences()
                .Any(r => r.Text("uid") == owner.Uid() && r.Flag("blockOwnerDeletion") == true);
        }
        if (!blocked) RemoveFinalizer(key, owner, Foreground);
    }

    private void RemoveFinalizer(ObjectKey key, JsonObject obj, string finalizer)
    {
        var changed = obj.Copy();
        changed.Child("metadata")["finalizers"] = JsonFields.ToArray(
            obj.Texts("metadata", "finalizers").Where(f => f != finalizer).Select(f => (JsonNode?)JsonValue.Create(f)));
        scope.Objects.Update(key.Resource, changed);
    }

    private enum Standing
    {
        Present,
        Absent,
        Waiting,
        Unknown,
    }
}
