using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.CustomResources;
using Cloud.Simulator.ApiServers.ResourceTypes;

namespace Cloud.Simulator.ApiServers.Discovery;

/// <summary>Everything that is served in one answer, as newer clients ask for it.</summary>
internal static class AggregatedDiscovery
{
    /// <summary>The legacy group, or all others.</summary>
    public static JsonObject Of(ServedTypes types, bool legacy) => new()
    {
        ["kind"] = "APIGroupDiscoveryList",
        ["apiVersion"] = "apidiscovery.k8s.io/v2",
        ["metadata"] = new JsonObject(),
        ["items"] = new JsonArray(
            [.. types.All.Where(t => t.Group.Length == 0 == legacy).GroupBy(t => t.Group).Select(Group)]),
    };

    private static JsonObject Group(IGrouping<string, ResourceType> group)
    {
        var metadata = new JsonObject { ["creationTimestamp"] = null };
        if (group.Key.Length > 0) metadata["name"] = group.Key;
        var versions = group.GroupBy(t => t.Version).OrderByDescending(v => v.Key, VersionOrder.Instance);
        return new JsonObject
        {
            ["metadata"] = metadata,
            ["versions"] = new JsonArray([.. versions.Select(v => new JsonObject
            {
                ["version"] = v.Key,
                ["freshness"] = "Current",
                ["resources"] = new JsonArray([.. v.Select(Resource)]),
            })]),
        };
    }

    private static JsonObject Resource(ResourceType type)
    {
        var resource = new JsonObject
        {
            ["resource"] = type.Plural,
            ["responseKind"] = Kind(type.Group, type.Version, type.Kind),
            ["scope"] = type.Namespaced ? "Namespaced" : "Cluster",
            ["singularResource"] = type.Singular,
            ["verbs"] = ResourceLists.Strings(ResourceLists.Verbs(type)),
        };
        if (type.ShortNames.Count > 0) resource["shortNames"] = ResourceLists.Strings(type.ShortNames);
        if (type.Categories.Count > 0) resource["categories"] = ResourceLists.Strings(type.Categories);
        var subresources = ResourceLists.SubresourcesOf(type).Select(s => new JsonObject
        {
            ["subresource"] = s.Name, ["responseKind"] = Kind(s.Group, s.Version, s.Kind),
                ["verbs"] = ResourceLists.Strings(s.Verbs),
        }).ToArray();
        if (subresources.Length > 0) resource["subresources"] = new JsonArray(subresources);
        return resource;
    }

    private static JsonObject Kind(string group, string version, string kind) =>
        new() { ["group"] = group, ["version"] = version, ["kind"] = kind };
}
