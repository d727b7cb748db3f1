namespace Cloud.Simulator.Controllers;

/// <summary>How the nodes run containers, as configuration has it under <c>Simulator</c>.</summary>
public sealed record RuntimeSettings
{
    /// <summary>Directory for what programs in pods need and leave; empty is one of this process's own.</summary>
    public string StatePath { get; init; } = ".cloud/simulator";

    /// <summary>The kubeconfig through which programs in a cluster's pods reach its API.</summary>
    internal string KubeconfigPath(string cluster) =>
        Path.GetFullPath(Path.Combine(ProgramsPath, cluster, "kubeconfig"));

    /// <summary>Where kubeconfigs for programs in pods, and the programs' logs, are.</summary>
    internal string ProgramsPath => Path.Combine(StatePath.Length > 0
        ? StatePath
        : Path.Combine(Path.GetTempPath(), $"cloud-simulator-{Environment.ProcessId}"), "programs");

    /// <summary>Where the Kubernetes APIs answer; a cluster's is at <c>/clusters/&lt;name&gt;</c> below it.</summary>
    public Uri ApiUrl { get; init; } = new("http://127.0.0.1:7107");

    /// <summary>Where the ingress answers: an http address of this machine. Port 0 picks a free one.</summary>
    public Uri IngressUrl { get; init; } = new("http://127.0.0.1:8080");

    /// <summary>Real programs by image repository: a path to a <c>.dll</c> (run by dotnet) or an executable.</summary>
    public IReadOnlyDictionary<string, string> Programs { get; init; } = new Dictionary<string, string>();

    /// <summary>First wait before a container that keeps failing is started again; doubles up to the longest.</summary>
    public TimeSpan BackOff { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Longest wait before a container that keeps failing is started again.</summary>
    public TimeSpan LongestBackOff { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a simulated container takes to stop when it is told to.</summary>
    public TimeSpan StopDelay { get; init; } = TimeSpan.FromMilliseconds(100);
}
