namespace Cloud.Simulator.Ingress;

/// <summary>
/// Where a request for a host goes, and what there is to tell about it; taken from the cluster in one moment.
/// </summary>
internal sealed record Route
{
    public required string Cluster { get; init; }

    public required string Namespace { get; init; }

    public required string Host { get; init; }

    /// <summary>The status that the Ingress itself says to answer, as a hibernated workspace's does.</summary>
    public int? ReturnStatus { get; init; }

    public string? ReturnMessage { get; init; }

    /// <summary>The ready pod that answers; null when there is none.</summary>
    public string? Pod { get; init; }

    public string? Image { get; init; }

    public string? Version { get; init; }

    public string? Size { get; init; }

    public int ReadyReplicas { get; init; }

    public int WantedReplicas { get; init; }

    /// <summary>The environment of the pod's container: names the database that it uses.</summary>
    public IReadOnlyDictionary<string, string>? Environment { get; init; }
}
