using System.Text;

namespace Cloud.Simulator.ApiServers;

/// <summary>The kubeconfig through which people and programs reach every simulated cluster: a context each.</summary>
public static class KubeconfigFile
{
    /// <summary>Writes it whole or not at all, readable to this user only.</summary>
    public static void Write(string path, Uri apiUrl, IReadOnlyList<ClusterSettings> clusters)
    {
        var text = new StringBuilder("apiVersion: v1\nkind: Config\npreferences: {}\n");
        if (clusters.Count > 0) text.Append("current-context: ").Append(clusters[0].Name).Append('\n');
        text.Append("clusters:\n");
        foreach (var cluster in clusters)
            text.Append(
                $"- name: {cluster.Name}\n  cluster:\n    server: {new Uri(apiUrl, $"/clusters/{cluster.Name}")}\n");
        text.Append("users:\n");
        foreach (var cluster in clusters)
            text.Append($"- name: {cluster.Name}\n  user:\n    token: \"{cluster.EffectiveToken}\"\n");
        text.Append("contexts:\n");
        foreach (var cluster in clusters)
            text.Append($"- name: {cluster.Name}\n  context:\n    cluster: {cluster.Name}\n    user: {cluster.Name}\n");
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } directory) Directory.CreateDirectory(directory);
        var temporary = path + ".new";
        File.WriteAllText(temporary, text.ToString());
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(temporary, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.Move(temporary, path, overwrite: true);
    }
}
