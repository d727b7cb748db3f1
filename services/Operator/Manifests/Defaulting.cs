using System.Text.Json.Nodes;
using Cloud.Operator.Mattermosts;
using k8s;
using k8s.Models;

namespace Cloud.Operator.Manifests;

/// <summary>Fills the fields of a spec that must not stay empty; the result is written back to the resource.</summary>
public static class Defaulting
{
    public const string Image = "mattermost/mattermost-enterprise-edition";
    public const string Version = "10.8.1";
    public const string PullPolicy = "IfNotPresent";

    private static readonly HashSet<string> MutableTags =
        new(StringComparer.OrdinalIgnoreCase) { "latest", "master", "main", "nightly", "edge" };

    /// <summary>
    /// The merge patch for <c>spec</c> that completes it, or null when nothing is missing. A named size overrides
    /// replicas and resources and is erased with it; an unknown one only fills what is missing.
    /// </summary>
    public static JsonObject? PatchFor(MattermostSpec spec)
    {
        var patch = new JsonObject();
        if (string.IsNullOrEmpty(spec.Image))
        {
            patch["image"] = Image;
        }

        if (string.IsNullOrEmpty(spec.Version))
        {
            patch["version"] = Version;
        }

        if (string.IsNullOrEmpty(spec.ImagePullPolicy))
        {
            patch["imagePullPolicy"] = PullPolicy;
        }

        var named = spec.Size is { Length: > 0 } name ? Sizes.ByName.GetValueOrDefault(name) : null;
        var size = named ?? Sizes.Default;
        if (named is not null || spec.Replicas is null)
        {
            patch["replicas"] = size.Replicas;
        }

        if (named is not null || IsEmpty(spec.Scheduling?.Resources))
        {
            patch["scheduling"] = new JsonObject { ["resources"] = ResourcesPatch(spec, size) };
        }

        if (!string.IsNullOrEmpty(spec.Size))
        {
            patch["size"] = null;
        }

        return patch.Count == 0 ? null : patch;
    }

    /// <summary>True for a tag that may mean another image tomorrow.</summary>
    public static bool IsMutableTag(string? version) => version is not null && MutableTags.Contains(version);

    /// <summary>True for a size that is neither empty nor known.</summary>
    public static bool IsUnknownSize(string? size) => !string.IsNullOrEmpty(size) && !Sizes.ByName.ContainsKey(size);

    private static bool IsEmpty(V1ResourceRequirements? resources) =>
        resources is null || (Empty(resources.Requests) && Empty(resources.Limits));

    private static bool Empty(IDictionary<string, ResourceQuantity>? amounts) => amounts is null || amounts.Count == 0;

    /// <summary>A merge patch keeps what it does not name, so amounts that the size does not have go by null.</summary>
    private static JsonObject ResourcesPatch(MattermostSpec spec, Size size)
    {
        var patch = JsonNode.Parse(KubernetesJson.Serialize(size.Resources()))!.AsObject();
        Clear(patch["requests"]!.AsObject(), spec.Scheduling?.Resources?.Requests);
        Clear(patch["limits"]!.AsObject(), spec.Scheduling?.Resources?.Limits);
        return patch;
    }

    private static void Clear(JsonObject patch, IDictionary<string, ResourceQuantity>? present)
    {
        foreach (var name in present?.Keys.Where(k => !patch.ContainsKey(k)) ?? [])
        {
            patch[name] = null;
        }
    }
}
