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
        if (!IsPredecessors(applied.Object))
        {
            return applied.Object;
        }

        var key = ObjectKey.Of(desired);
        await InheritFields(kind, key, cancellation);
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
    private async Task InheritFields<T>(ResourceKind<T> kind, ObjectKey key, CancellationToken cancellation)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        // Caches do not keep who manages which field.
        var item = await api.Get(kind, key, cancellation);
        if (!IsPredecessors(item))
        {
            return;
        }

        var entries = item.Metadata.ManagedFields ?? [];
        var theirs = entries.Where(e => e.Operation == "Update" && string.IsNullOrEmpty(e.Subresource)
            && Fields(e)["f:metadata"]?["f:annotations"]?[$"f:{Names.PredecessorAnnotation}"] is not null).ToList();
        var ours = entries.FirstOrDefault(e => e.Operation == "Apply" && e.Manager == FieldManager);
        JsonArray patch =
        [
            // Refused when anybody else wrote in between; the next pass tries again.
            Operation("replace", "/metadata/resourceVersion", item.Metadata.ResourceVersion),
            Operation("remove", Annotation(Names.PredecessorAnnotation), null),
            // Without its hash the object is applied anew, also when this process ends right here.
            Operation("remove", Annotation(Applier.HashAnnotation), null),
        ];
        if (theirs.Count > 0 && ours is not null)
        {
            ours.FieldsV1 = JsonSerializer.SerializeToElement(theirs.Select(Fields).Aggregate(Fields(ours), Merge));
            var kept = JsonNode.Parse(KubernetesJson.Serialize(entries.Except(theirs).ToList()));
            patch.Add(Operation("replace", "/metadata/managedFields", kept));
        }

        await api.JsonPatch(kind, key, patch, FieldManager, cancellation);
    }

    private static string Annotation(string name) =>
        $"/metadata/annotations/{name.Replace("/", "~1", StringComparison.Ordinal)}";

    private static JsonObject Operation(string op, string path, JsonNode? value)
    {
        var operation = new JsonObject { ["op"] = op, ["path"] = path };
        if (value is not null)
        {
            operation["value"] = value;
        }

        return operation;
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
