namespace Cloud.Simulator.ApiServers;

/// <summary>One simulated cluster: its settings, its API and what is told to go wrong in it.</summary>
public sealed record SimulatedCluster(ClusterSettings Settings, IClusterApi Api, Faults Faults);

/// <summary>Every simulated cluster of this process, in the order of the configuration; fixed from the start.</summary>
public sealed record SimulatedClusters(IReadOnlyList<SimulatedCluster> All);
