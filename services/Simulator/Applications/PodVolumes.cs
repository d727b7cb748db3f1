using System.Text.Json.Nodes;
using Cloud.Simulator.Controllers;

namespace Cloud.Simulator.Applications;

/// <summary>Whether everything that a pod mounts is there.</summary>
internal static class PodVolumes
{
    /// <summary>The first thing missing, in the kubelet's words; null when all is there.</summary>
    public static string? Missing(ClusterObjects objects, JsonObject pod)
    {
        foreach (var volume in pod.Items("spec", "volumes"))
        {
            var missing = MissingIn(objects, pod.Namespace(), volume)
                ?? volume.Items("projected", "sources").Select(s => MissingIn(objects, pod.Namespace(), s))
                    .FirstOrDefault(m => m is not null);
            if (missing is not null)
                return $"MountVolume.SetUp failed for volume \"{volume.Text("name")}\" : {missing}";
        }
        return null;
    }

    private static string? MissingIn(ClusterObjects objects, string? ns, JsonObject source)
    {
        if (source["secret"] is JsonObject secret
            && Absent(objects, Resources.Secrets, ns, secret, secret.Text("secretName") ?? secret.Text("name")))
            return $"secret \"{secret.Text("secretName") ?? secret.Text("name")}\" not found";
        if (source["configMap"] is JsonObject map && Absent(objects, Resources.ConfigMaps, ns, map, map.Text("name")))
            return $"configmap \"{map.Text("name")}\" not found";
        if (source.Text("persistentVolumeClaim", "claimName") is { } claim
            && objects[Resources.VolumeClaims].Get(ns, claim) is null)
            return $"persistentvolumeclaim \"{claim}\" not found";
        return null;
    }

    private static bool Absent(ClusterObjects objects, string kind, string? ns, JsonObject source, string? name) =>
        source.Flag("optional") != true && objects[kind].Get(ns, name ?? "") is null;
}
