namespace Cloud.Simulator.ApiServers;

/// <summary>One simulated cluster, as configuration describes it under <c>Simulator:Clusters</c>.</summary>
public sealed record ClusterSettings
{
    /// <summary>Name in the URL path and the kubeconfig context; a DNS label.</summary>
    public required string Name { get; init; }

    /// <summary>Bearer token its clients must show. Derived from the name when empty.</summary>
    public string Token { get; init; } = "";

    /// <summary>How many nodes it has.</summary>
    public int Nodes { get; init; } = 2;

    /// <summary>CPU of each node, a Kubernetes quantity in cores.</summary>
    public string Cpu { get; init; } = "8";

    /// <summary>Memory of each node, a Kubernetes quantity in bytes.</summary>
    public string Memory { get; init; } = "32Gi";

    /// <summary>How many pods fit on each node.</summary>
    public int Pods { get; init; } = 110;

    /// <summary>How long a scheduled pod takes until it is ready.</summary>
    public TimeSpan PodStartDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How many changes of each kind a watch can go back before it is told 410 Gone.</summary>
    public int WatchHistory { get; init; } = 4096;

    /// <summary>The token that is in force.</summary>
    public string EffectiveToken => Token.Length > 0 ? Token : $"{Name}-token";
}
