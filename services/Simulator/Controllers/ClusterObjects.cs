using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers;

namespace Cloud.Simulator.Controllers;

/// <summary>
/// What the controllers of one cluster see and write: a cache per resource, an index by owner, and the API.
/// Used by the cluster's loop alone. Every write goes into the cache before it returns.
/// </summary>
internal sealed class ClusterObjects(IClusterApi api, string manager)
{
    private readonly Dictionary<string, ObjectCache> _caches = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ObjectKey> _byUid = new(StringComparer.Ordinal);
    private readonly Dictionary<string, HashSet<ObjectKey>> _byOwner = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Resource, string? Namespace), HashSet<ObjectKey>> _orphans = [];

    /// <summary>Called for every change, whether written here or heard from a watch.</summary>
    public event Action<Change>? Changed;

    public IClusterApi Api => api;

    public IEnumerable<ObjectCache> Caches => _caches.Values;

    public ObjectCache this[string resource] => _caches[resource];

    public ObjectCache? Find(string resource) => _caches.GetValueOrDefault(resource);

    public ObjectCache Add(ResourceKind kind)
    {
        var cache = new ObjectCache(kind, OnChanged);
        _caches.Add(kind.Resource, cache);
        return cache;
    }

    /// <summary>Forgets a kind that is no longer served, and with it all its objects.</summary>
    public void Drop(string resource)
    {
        if (!_caches.Remove(resource, out var cache)) return;
        foreach (var obj in cache.All.ToList()) cache.Remove(obj, repeats: false);
    }

    public JsonObject? Get(ObjectKey key) => Find(key.Resource)?.Get(key.Namespace, key.Name);

    /// <summary>The object with this uid, of whatever resource.</summary>
    public JsonObject? ByUid(string uid, out ObjectKey key) =>
        _byUid.TryGetValue(uid, out key) ? Get(key) : null;

    /// <summary>
    /// The objects that name this uid as an owner, as they stand now (a copy: the caller may delete them).
    /// </summary>
    public IReadOnlyList<ObjectKey> DependentsOf(string ownerUid) =>
        _byOwner.TryGetValue(ownerUid, out var keys) ? [.. keys] : [];

    /// <summary>The objects of a resource that this uid owns.</summary>
    public IEnumerable<JsonObject> OwnedBy(string ownerUid, string resource)
    {
        foreach (var key in DependentsOf(ownerUid))
        {
            if (key.Resource == resource && Get(key) is { } obj) yield return obj;
        }
    }

    /// <summary>The namespaced objects of a resource that nobody controls.</summary>
    public IEnumerable<JsonObject> Orphans(string resource, string? ns) =>
        _orphans.TryGetValue((resource, ns), out var keys) ? keys.Select(k => Get(k)!) : [];

    public JsonObject Create(string resource, JsonObject obj) => Put(resource, api.Create(resource, obj, manager));

    /// <summary>Creates an object that should merely exist; someone else having been faster is as good.</summary>
    public void Ensure(string resource, JsonObject obj)
    {
        if (this[resource].Get(obj.Namespace(), obj.Name()) is not null) return;
        try
        {
            Create(resource, obj);
        }
        catch (ApiException problem) when (problem.Reason == "AlreadyExists")
        {
            if (api.Get(resource, obj.Namespace(), obj.Name()) is { } present) Put(resource, present);
        }
    }

    /// <summary>Replaces an object. Taking the last finalizer off a deleted one ends it.</summary>
    public JsonObject Update(string resource, JsonObject obj)
    {
        var written = api.Update(resource, obj, manager);
        if (written.IsDeleting()) Refresh(new(resource, written.Namespace(), written.Name()), written);
        else Put(resource, written);
        return written;
    }

    /// <summary>
    /// Writes the status when it says something new: an unchanged status costs nothing. The controllers are the only
    /// writers of the statuses that they write, so no resourceVersion is sent and nothing can conflict.
    /// </summary>
    public JsonObject UpdateStatus(string resource, JsonObject before, JsonObject status)
    {
        if (JsonNode.DeepEquals(before["status"] ?? new JsonObject(), status)) return before;
        var changed = before.Copy();
        changed["status"] = status;
        changed.Child("metadata").Remove("resourceVersion");
        return Put(resource, api.UpdateStatus(resource, changed, manager));
    }

    /// <summary>Deletes this very object (by uid). One that is gone already is fine.</summary>
    public void Delete(ObjectKey key, JsonObject obj, string propagation = "Background", long? graceSeconds = null)
    {
        try
        {
            api.Delete(key.Resource, key.Namespace, key.Name, propagation, obj.Uid(), graceSeconds);
        }
        catch (ApiException problem) when (problem.Code is 404 or 409)
        {
            // Gone, or another of the same name: the look below tells, and the watch follows.
        }
        Refresh(key, obj);
    }

    /// <summary>Ends a namespace's life once nothing is left in it.</summary>
    public void Finalize(JsonObject ns)
    {
        api.Update("namespaces/finalize", ns, manager);
        Refresh(new(Resources.Namespaces, null, ns.Name()), ns);
    }

    /// <summary>Takes the present state of an object from the API into the cache.</summary>
    public void Refresh(ObjectKey key, JsonObject known)
    {
        if (Find(key.Resource) is not { } cache) return;
        var present = api.Get(key.Resource, key.Namespace, key.Name);
        if (present?.Uid() != known.Uid())
        {
            var unheard = cache.Get(key.Namespace, key.Name)?.Uid() == known.Uid();
            cache.Remove(known, repeats: unheard);
        }
        if (present is not null) cache.Put(present);
    }

    private JsonObject Put(string resource, JsonObject obj)
    {
        this[resource].Put(obj);
        return obj;
    }

    private void OnChanged(Change change)
    {
        if (change.Old is { } old) Unindex(change.Key, old);
        if (change.New is { } now) Index(change.Key, now);
        Changed?.Invoke(change);
    }

    private void Index(ObjectKey key, JsonObject obj)
    {
        _byUid[obj.Uid()] = key;
        if (IsOrphan(key, obj))
        {
            if (!_orphans.TryGetValue((key.Resource, key.Namespace), out var orphans))
                _orphans[(key.Resource, key.Namespace)] = orphans = [];
            orphans.Add(key);
        }
        foreach (var reference in obj.OwnerReferences())
        {
            var owner = reference.Text("uid") ?? "";
            if (!_byOwner.TryGetValue(owner, out var keys)) _byOwner[owner] = keys = [];
            keys.Add(key);
        }
    }

    private void Unindex(ObjectKey key, JsonObject obj)
    {
        _byUid.Remove(obj.Uid());
        var place = (key.Resource, key.Namespace);
        if (_orphans.TryGetValue(place, out var orphans) && orphans.Remove(key) && orphans.Count == 0)
            _orphans.Remove(place);
        foreach (var reference in obj.OwnerReferences())
        {
            var owner = reference.Text("uid") ?? "";
            if (_byOwner.TryGetValue(owner, out var keys) && keys.Remove(key) && keys.Count == 0)
                _byOwner.Remove(owner);
        }
    }

    // Only these two are ever adopted; an index of every Secret would be waste.
    private static bool IsOrphan(ObjectKey key, JsonObject obj) =>
        key.Resource is Resources.Pods or Resources.ReplicaSets && obj.ControllerUid() is null;
}
