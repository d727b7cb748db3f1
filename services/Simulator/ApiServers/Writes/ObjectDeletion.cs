using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.ResourceTypes;
using Cloud.Simulator.ApiServers.Storage;

namespace Cloud.Simulator.ApiServers.Writes;

/// <summary>
/// Deletes objects: at once when nothing holds them, else by marking them until their finalizers, their node (pods) or
/// their content (namespaces, definitions) are done.
/// </summary>
public sealed class ObjectDeletion(ObjectStore store, ObjectWriter writer, TimeProvider clock)
{
    private const string OrphanFinalizer = "orphan";
    private const string ForegroundFinalizer = "foregroundDeletion";
    private const long PodGraceSeconds = 30;

    /// <summary>Deletes one object. 404 when there is none. Tells its last state and whether it is gone.</summary>
    public (StoredObject Last, bool Gone) Delete(ResourceType type, string? ns, string name, DeleteOptions options)
    {
        lock (store.Gate)
        {
            var found = store.Find(type.StorageKey, ns, name) ?? throw ApiErrors.NotFound(type, name);
            CheckPreconditions(type, found, options);
            var current = Representation.Of(type, found).ToJson();
            var next = (JsonObject)current.DeepClone();
            SetFinalizers(type, next, options);
            var grace = Grace(type, next, options);
            if (next.IsBeingDeleted()) Shorten(next, grace);
            else Mark(type, next, grace);
            if (ObjectWriter.IsFinished(type, next))
            {
                var last = JsonAccess.Same(current.At("metadata", "deletionTimestamp"), null) ? current : next;
                if (options.DryRun) return (StoredObject.Freeze(last, found.Revision), true);
                return (writer.Remove(type, found, last), true);
            }
            if (options.DryRun || JsonAccess.Same(current, next))
                return (StoredObject.Freeze(next, found.Revision), false);
            return (writer.Keep(type, next), false);
        }
    }

    private static void CheckPreconditions(ResourceType type, StoredObject found, DeleteOptions options)
    {
        if (options.Uid is { Length: > 0 } uid && uid != found.Uid)
        {
            throw ApiErrors.Conflict(type, found.Name,
                $"the UID in the precondition ({uid}) does not match the UID in record ({found.Uid}). " +
                "The object might have been deleted and then recreated");
        }
        if (options.ResourceVersion is { Length: > 0 } revision
            && revision != found.Text("metadata", "resourceVersion"))
        {
            throw ApiErrors.Conflict(type, found.Name,
                $"the ResourceVersion in the precondition ({revision}) does not match the ResourceVersion in record " +
                $"({found.Revision}). The object might have been modified");
        }
    }

    private static void SetFinalizers(ResourceType type, JsonObject obj, DeleteOptions options)
    {
        var propagation = options.Propagation;
        if (propagation is null && type.Resource == "jobs.batch")
        {
            propagation = "Orphan";
            options.Warnings.Add(
                "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background " +
                "to remove them or set propagationPolicy=Orphan to suppress this warning");
        }
        if (propagation is null) return;
        var wanted = propagation switch
        {
            "Orphan" => OrphanFinalizer,
            "Foreground" => ForegroundFinalizer,
            "Background" => null,
            _ => throw ApiErrors.Invalid("DeleteOptions.meta.k8s.io", "meta.k8s.io", "DeleteOptions", "",
                [Validation.FieldError.NotSupported("propagationPolicy", propagation,
                    ["Foreground", "Background", "Orphan", "nil"])]),
        };
        var kept = obj.Finalizers().Where(f => f is not (OrphanFinalizer or ForegroundFinalizer)).ToList();
        if (wanted is not null) kept.Add(wanted);
        if (kept.Count == 0) obj.Metadata().Remove("finalizers");
        else obj.Metadata()["finalizers"] = new JsonArray([.. kept.Select(f => (JsonNode)f)]);
    }

    // Only a pod that runs on a node is given time: its node has to stop it and then deletes it with no grace.
    private static long Grace(ResourceType type, JsonObject obj, DeleteOptions options)
    {
        if (type.Resource != "pods" || obj.Text("spec", "nodeName") is not { Length: > 0 }) return 0;
        if (obj.Text("status", "phase") is "Succeeded" or "Failed") return 0;
        return Math.Max(0, options.GracePeriodSeconds
            ?? obj.Number("spec", "terminationGracePeriodSeconds") ?? PodGraceSeconds);
    }

    private void Mark(ResourceType type, JsonObject obj, long grace)
    {
        var metadata = obj.Metadata();
        metadata["deletionTimestamp"] = Metadata.Stamp(clock.GetUtcNow().AddSeconds(grace));
        metadata["deletionGracePeriodSeconds"] = grace;
        if (obj.Number("metadata", "generation") is { } generation) metadata["generation"] = generation + 1;
        if (type.Resource == "namespaces") obj.Ensure("status")["phase"] = "Terminating";
    }

    private void Shorten(JsonObject obj, long grace)
    {
        var metadata = obj.Metadata();
        if (grace >= (obj.Number("metadata", "deletionGracePeriodSeconds") ?? 0)) return;
        metadata["deletionTimestamp"] = Metadata.Stamp(clock.GetUtcNow().AddSeconds(grace));
        metadata["deletionGracePeriodSeconds"] = grace;
    }
}
