using System.Globalization;

namespace Cloud.Simulator.ApiServers;

/// <summary>The API servers as configuration has them under <c>Simulator</c>.</summary>
public sealed record ApiServerSettings
{
    /// <summary>Where the Kubernetes APIs answer: an http address of this machine. Port 0 picks a free one.</summary>
    public Uri ApiUrl { get; init; } = new("http://127.0.0.1:7107");

    /// <summary>The kubeconfig that is written at the start; empty writes none.</summary>
    public string KubeconfigPath { get; init; } = ".cloud/kubeconfig";

    /// <summary>Directory in which the clusters outlive the process; empty keeps them in memory.</summary>
    public string StatePath { get; init; } = ".cloud/simulator";

    /// <summary>The clusters; a large and a small one when none are named.</summary>
    public IReadOnlyList<ClusterSettings> Clusters { get; init; } = [];

    /// <summary>The clusters that are simulated.</summary>
    public IReadOnlyList<ClusterSettings> EffectiveClusters => Clusters.Count > 0 ? Clusters :
    [
        new ClusterSettings { Name = "local-a", Nodes = 4 },
        new ClusterSettings { Name = "local-b", Nodes = 2 },
    ];

    /// <summary>The settings, or an exception that names everything wrong with them.</summary>
    public ApiServerSettings Checked()
    {
        var wrong = new List<string>();
        if (!ApiUrl.IsLoopback) wrong.Add($"Simulator:ApiUrl must be an address of this machine, not {ApiUrl}");
        foreach (var cluster in EffectiveClusters)
        {
            if (!Validation.Names.IsLabel(cluster.Name))
                wrong.Add($"Simulator:Clusters: \"{cluster.Name}\" is no DNS label");
            if (cluster.Nodes < 0 || cluster.Pods < 0)
                wrong.Add(string.Create(CultureInfo.InvariantCulture,
                    $"Simulator:Clusters: {cluster.Name} has a negative size"));
        }
        var twice = EffectiveClusters.GroupBy(c => c.Name).Where(g => g.Count() > 1).Select(g => g.Key);
        wrong.AddRange(twice.Select(name => $"Simulator:Clusters: {name} is named twice"));
        return wrong.Count == 0 ? this : throw new InvalidOperationException(string.Join("; ", wrong));
    }
}
