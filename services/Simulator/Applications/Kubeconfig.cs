using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers;
using Cloud.Simulator.Controllers;

namespace Cloud.Simulator.Applications;

/// <summary>The kubeconfig through which programs in pods reach the API of their cluster.</summary>
internal static class Kubeconfig
{
    public static string Path(RuntimeSettings settings, string cluster) =>
        System.IO.Path.Combine(settings.StatePath, "kubeconfigs", cluster);

    /// <summary>Writes it (JSON is YAML too), readable to this user only.</summary>
    public static void Write(RuntimeSettings settings, ClusterSettings cluster)
    {
        var path = Path(settings, cluster.Name);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        var server = new Uri(settings.ApiUrl, $"/clusters/{cluster.Name}").ToString();
        var content = new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Config",
            ["clusters"] = Named(cluster.Name, "cluster", new JsonObject { ["server"] = server }),
            ["users"] = Named(cluster.Name, "user", new JsonObject { ["token"] = cluster.EffectiveToken }),
            ["contexts"] = Named(cluster.Name, "context",
                new JsonObject { ["cluster"] = cluster.Name, ["user"] = cluster.Name }),
            ["current-context"] = cluster.Name,
        };
        var temporary = path + ".new";
        File.WriteAllText(temporary, content.ToJsonString());
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(temporary, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.Move(temporary, path, overwrite: true);
    }

    private static JsonArray Named(string name, string part, JsonObject content) =>
        [new JsonObject { ["name"] = name, [part] = content }];
}
