using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.CustomResources;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.ResourceTypes;
using Cloud.Simulator.ApiServers.Validation;

namespace Cloud.Simulator.ApiServers.Writes;

/// <summary>Whether a write still speaks of the object that its author saw.</summary>
internal static class Preconditions
{
    /// <summary>
    /// 409 when the revision or uid is another; 422 when the kind demands a revision and there is none.
    /// </summary>
    public static void Check(ResourceType type, JsonObject current, JsonObject next, WriteOptions options)
    {
        var name = current.NameOf();
        var revision = next.Text("metadata", "resourceVersion") ?? "";
        var uid = next.Text("metadata", "uid") ?? "";
        if (uid.Length > 0 && uid != current.Text("metadata", "uid"))
        {
            throw ApiErrors.Conflict(type, name,
                $"Precondition failed: UID in precondition: {uid}, UID in object meta: " +
                $"{current.Text("metadata", "uid")}");
        }
        if (revision is "" or "0")
        {
            if (DemandsRevision(type) && !options.IsController)
            {
                throw ApiErrors.Invalid(type, name,
                    [FieldError.Invalid("metadata.resourceVersion", 0, "must be specified for an update")]);
            }
            return;
        }
        if (revision != current.Text("metadata", "resourceVersion")) throw ApiErrors.Stale(type, name);
    }

    private static bool DemandsRevision(ResourceType type) =>
        type.Custom is not null || type.Resource is Definitions.Resource or "leases.coordination.k8s.io";
}
