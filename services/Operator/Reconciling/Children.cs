using System.Text.Json;
using System.Text.Json.Nodes;
using Cloud.Operator.Manifests;
using Cloud.Operator.Mattermosts;
using Cloud.Watching;
using k8s;
using k8s.Models;

namespace Cloud.Operator.Reconciling;

/// <summary>Makes, adopts and removes the objects that belong to a resource.</summary>
/// <remarks>
/// Guarantees: an object is only removed when this very resource controls it, whatever its name; an object that
/// somebody else controls is refused by the API server, because an object has one controller. Objects of the
/// predecessor are taken over without a change to what runs: its ownership of fields becomes ours first, so that later
/// removals work, and its bookkeeping annotation goes.
/// </remarks>
public sealed class Children(KubernetesApi api)
{
    /// <summary>Field manager of everything the operator writes.</summary>
    public const string FieldManager = "cloud-operator";

    private readonly Applier _applier = new(api, FieldManager);

    /// <summary>Makes the object be as wanted; does nothing when it is.</summary>
    public async Task<T> Apply<T>(
        ResourceKind<T> kind, ObjectCache<T> cache, T desired, CancellationToken cancellation)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var applied = await _applier.Apply(kind, desired, cache, force: true, cancellation);
        if (!applied.Written || !IsPredecessors(applied.Object))
        {
            return applied.Object;
        }

        await InheritFields(kind, applied.Object, cancellation);
        var key = ObjectKey.Of(desired);
        using var write = cache.BeginWrite(key);
        var settled = await _applier.Apply(kind, desired, live: null, force: true, cancellation);
        write.Complete(settled.Object);
        return settled.Object;
    }

    /// <summary>Removes an object if it exists and belongs to the resource; tells whether it did.</summary>
    public async Task<bool> DeleteOwned<T>(
        Mattermost mattermost, ResourceKind<T> kind, T? live, CancellationToken cancellation)
        where T : class, IKubernetesObject<V1ObjectMeta> =>
        live is not null && Names.Owns(mattermost, live.Metadata) && live.Metadata.DeletionTimestamp is null
        && await api.Delete(kind, ObjectKey.Of(live), live.Metadata.Uid, cancellation);

    private static bool IsPredecessors<T>(T item)
        where T : class, IKubernetesObject<V1ObjectMeta> =>
        item.Metadata.Annotations?.ContainsKey(Names.PredecessorAnnotation) == true;

    /// <summary>
    /// Turns the fields that the predecessor holds (it wrote with plain updates, and is known by the annotation among
    /// its fields) into fields that we applied. Otherwise nothing would ever remove one that is no longer wanted.
    /// </summary>
    private async Task InheritFields<T>(ResourceKind<T> kind, T item, CancellationToken cancellation)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var entries = item.Metadata.ManagedFields ?? [];
        var theirs = entries.Where(e => e.Operation == "Update" && string.IsNullOrEmpty(e.Subresource)
            && Fields(e)["f:metadata"]?["f:annotations"]?[$"f:{Names.PredecessorAnnotation}"] is not null).ToList();
        var ours = entries.FirstOrDefault(e => e.Operation == "Apply" && e.Manager == FieldManager);
        if (theirs.Count == 0 || ours is null)
        {
            return;
        }

        var union = theirs.Select(Fields).Aggregate(Fields(ours), Merge);
        ours.FieldsV1 = JsonSerializer.SerializeToElement(union);
        var kept = entries.Except(theirs).ToList();
        JsonArray patch =
        [
            new JsonObject
            {
                ["op"] = "replace", ["path"] = "/metadata/managedFields",
                ["value"] = JsonNode.Parse(KubernetesJson.Serialize(kept)),
            },
            // Refused when anybody else wrote in between; the next pass tries again.
            new JsonObject
            {
                ["op"] = "replace", ["path"] = "/metadata/resourceVersion",
                ["value"] = item.Metadata.ResourceVersion,
            },
        ];
        await api.JsonPatch(kind, ObjectKey.Of(item), patch, FieldManager, cancellation);
    }

    private static JsonObject Fields(V1ManagedFieldsEntry entry) =>
        JsonNode.Parse(KubernetesJson.Serialize(entry.FieldsV1 ?? new object())) as JsonObject ?? [];

    private static JsonObject Merge(JsonObject into, JsonObject from)
    {
        foreach (var (name, value) in from)
        {
            if (into[name] is JsonObject present && value is JsonObject more)
            {
                Merge(present, more);
            }
            else if (!into.ContainsKey(name))
            {
                into[name] = value?.DeepClone();
            }
        }

        return into;
    }
}
