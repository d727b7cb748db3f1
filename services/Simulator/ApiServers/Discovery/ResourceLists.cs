using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.ResourceTypes;

namespace Cloud.Simulator.ApiServers.Discovery;

/// <summary>The resources of one group and version, as the older discovery tells them.</summary>
internal static class ResourceLists
{
    private static readonly string[] AllVerbs =
        ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
    private static readonly string[] ChangeVerbs = ["get", "patch", "update"];
    private static readonly string[] CreateVerb = ["create"];

    /// <summary>The list; null when nothing of this version is served.</summary>
    public static JsonObject? Of(ServedTypes types, string group, string version)
    {
        var own = types.All.Where(t => t.Group == group && t.Version == version).ToList();
        if (own.Count == 0) return null;
        return new JsonObject
        {
            ["kind"] = "APIResourceList",
            ["apiVersion"] = "v1",
            ["groupVersion"] = own[0].ApiVersion,
            ["resources"] = new JsonArray([.. own.SelectMany(t => Subresources(t).Prepend(Resource(t)))]),
        };
    }

    /// <summary>What can be done with a kind.</summary>
    public static string[] Verbs(ResourceType type) => type.IsReview ? CreateVerb : AllVerbs;

    /// <summary>The subresources of a kind: name, kind with its group and version, verbs.</summary>
    public static IEnumerable<(string Name, string Group, string Version, string Kind, string[] Verbs)> SubresourcesOf(
        ResourceType type)
    {
        if (type.HasStatus) yield return ("status", type.Group, type.Version, type.Kind, ChangeVerbs);
        if (type.Scale is not null) yield return ("scale", "autoscaling", "v1", "Scale", ChangeVerbs);
        foreach (var name in type.Subresources)
        {
            yield return name switch
            {
                "binding" => (name, "", "v1", "Binding", CreateVerb),
                "eviction" => (name, "policy", "v1", "Eviction", CreateVerb),
                "token" => (name, "authentication.k8s.io", "v1", "TokenRequest", CreateVerb),
                "log" => (name, "", "v1", "Pod", ["get"]),
                "finalize" => (name, "", "v1", type.Kind, ["update"]),
                _ => (name, type.Group, type.Version, type.Kind, ChangeVerbs),
            };
        }
    }

    private static JsonObject Resource(ResourceType type)
    {
        var resource = new JsonObject
        {
            ["name"] = type.Plural,
            ["singularName"] = type.Singular,
            ["namespaced"] = type.Namespaced,
            ["kind"] = type.Kind,
            ["verbs"] = Strings(Verbs(type)),
        };
        if (type.ShortNames.Count > 0) resource["shortNames"] = Strings(type.ShortNames);
        if (type.Categories.Count > 0) resource["categories"] = Strings(type.Categories);
        return resource;
    }

    private static IEnumerable<JsonObject> Subresources(ResourceType type)
    {
        foreach (var (name, group, version, kind, verbs) in SubresourcesOf(type))
        {
            var resource = new JsonObject
            {
                ["name"] = $"{type.Plural}/{name}", ["singularName"] = "", ["namespaced"] = type.Namespaced,
                    ["kind"] = kind,
                ["verbs"] = Strings(verbs),
            };
            if (group != type.Group || version != type.Version)
                (resource["group"], resource["version"]) = (group, version);
            yield return resource;
        }
    }

    public static JsonArray Strings(IEnumerable<string> texts) => new([.. texts.Select(t => (JsonNode)t)]);
}
