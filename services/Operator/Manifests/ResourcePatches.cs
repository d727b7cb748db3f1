using System.Text.Json;
using System.Text.Json.Nodes;
using Cloud.Operator.Mattermosts;
using k8s;
using k8s.Models;

namespace Cloud.Operator.Manifests;

/// <summary>
/// The JSON patches of a resource on what is generated for it. They are a way out for what the resource has no field
/// for, not a way around what protects the cluster: protected fields must be the same before and after.
/// </summary>
public static class ResourcePatches
{
    private static readonly string[] DeploymentProtected =
    [
        "hostNetwork", "hostPID", "hostIPC", "volumes", "serviceAccountName", "serviceAccount", "nodeSelector",
        "nodeName", "initContainers",
    ];

    private static readonly string[] SecurityProtected =
        ["privileged", "allowPrivilegeEscalation", "runAsUser", "capabilities"];

    private static readonly string[][] ServicePaths =
        [["spec", "selector"], ["spec", "externalIPs"], ["spec", "externalName"]];

    private static readonly string[][] DeploymentPaths =
        [.. DeploymentProtected.Select(f => (string[])["spec", "template", "spec", f])];

    /// <summary>Applies the patch for the Service.</summary>
    /// <returns>The object, unpatched when the patch fails, and what to report; null when there is no patch.</returns>
    public static (V1Service Item, PatchResult? Result) Apply(V1Service service, PatchSpec? patch) =>
        Apply(service, patch, ServicePaths);

    /// <inheritdoc cref="Apply(V1Service, PatchSpec?)"/>
    public static (V1Deployment Item, PatchResult? Result) Apply(V1Deployment deployment, PatchSpec? patch) =>
        Apply(deployment, patch, DeploymentPaths);

    private static (T Item, PatchResult? Result) Apply<T>(T item, PatchSpec? patch, string[][] protectedPaths)
    {
        if (patch is null || patch.Disable == true || string.IsNullOrWhiteSpace(patch.Patch))
        {
            return (item, null);
        }

        try
        {
            var operations = JsonPatch.Parse(patch.Patch);
            foreach (var operation in operations)
            {
                RequireAllowed(operation.Path, protectedPaths);
                RequireAllowed(operation.From ?? [], protectedPaths);
            }

            var before = JsonNode.Parse(KubernetesJson.Serialize(item))!;
            var after = JsonPatch.Apply(before, operations);
            RequireUntouched(before, after, protectedPaths);
            return (KubernetesJson.Deserialize<T>(after.ToJsonString()), new PatchResult { Applied = true });
        }
        catch (Exception e) when (e is JsonPatchException or JsonException or FormatException)
        {
            return (item, new PatchResult { Applied = false, Error = e.Message });
        }
    }

    private static void RequireAllowed(IReadOnlyList<string> path, string[][] protectedPaths)
    {
        var hit = protectedPaths.FirstOrDefault(p => path.Take(p.Length).SequenceEqual(p));
        if (hit is not null)
        {
            throw new JsonPatchException($"Patching /{string.Join('/', hit)} is not allowed.");
        }

        var context = path.ToList().IndexOf("securityContext");
        if (context >= 0 && context + 1 < path.Count && SecurityProtected.Contains(path[context + 1]))
        {
            throw new JsonPatchException($"Patching {path[context + 1]} of a securityContext is not allowed.");
        }
    }

    /// <summary>Operations on a parent, or by way of another place, come to light by comparing the results.</summary>
    private static void RequireUntouched(JsonNode before, JsonNode after, string[][] protectedPaths)
    {
        var changed = protectedPaths.FirstOrDefault(p => !JsonNode.DeepEquals(At(before, p), At(after, p)));
        if (changed is not null)
        {
            throw new JsonPatchException($"The patch changes /{string.Join('/', changed)}, which is not allowed.");
        }

        if (!SecurityValues(before).Order().SequenceEqual(SecurityValues(after).Order()))
        {
            throw new JsonPatchException(
                "The patch changes a protected field of a securityContext, which is not allowed.");
        }
    }

    private static JsonNode? At(JsonNode? node, string[] path) =>
        path.Aggregate(node, (n, step) => n is JsonObject map ? map[step] : null);

    private static IEnumerable<string> SecurityValues(JsonNode? node) => node switch
    {
        JsonObject map => map.SelectMany(p => p.Key == "securityContext" && p.Value is JsonObject context
            ? SecurityProtected.Where(context.ContainsKey).Select(f => $"{f}={context[f]?.ToJsonString()}")
            : SecurityValues(p.Value)),
        JsonArray list => list.SelectMany(SecurityValues),
        _ => [],
    };
}
