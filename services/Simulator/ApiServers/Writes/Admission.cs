using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.ResourceTypes;
using Cloud.Simulator.ApiServers.Storage;

namespace Cloud.Simulator.ApiServers.Writes;

/// <summary>What must be true around an object before it may exist.</summary>
internal static class Admission
{
    /// <summary>Its namespace exists and is not on its way out.</summary>
    public static void CheckNamespace(ObjectStore store, ResourceType type, JsonObject obj)
    {
        if (!type.Namespaced) return;
        var ns = obj.NamespaceOf()!;
        var found = store.Find("namespaces", null, ns) ?? throw ApiErrors.NotFound("", "namespaces", ns);
        if (found.Text("metadata", "deletionTimestamp") is null) return;
        var refusal = ApiErrors.Forbidden(type, obj.NameOf(),
            $"unable to create new content in namespace {ns} because it is being terminated");
        refusal.Details!["causes"] = new JsonArray(new JsonObject
        {
            ["reason"] = "NamespaceTerminating",
            ["message"] = $"namespace {ns} is being terminated",
            ["field"] = "metadata.namespace",
        });
        throw refusal;
    }

    /// <summary>The account that a pod runs as exists; every namespace is taken to have its default one.</summary>
    public static void OnCreate(ObjectStore store, ResourceType type, JsonObject obj)
    {
        if (type.Resource != "pods") return;
        var account = obj.Text("spec", "serviceAccountName") ?? "default";
        if (account == "default" || store.Find("serviceaccounts", obj.NamespaceOf(), account) is not null) return;
        throw ApiErrors.Forbidden(type, obj.NameOf(),
            $"error looking up service account {obj.NamespaceOf()}/{account}: serviceaccount \"{account}\" not found");
    }
}
