using System.Text.Json.Nodes;

namespace Cloud.Simulator.Applications;

/// <summary>What a container starts with.</summary>
/// <param name="ClusterName">The cluster whose pod this is.</param>
/// <param name="Pod">The pod; shared, not to be changed.</param>
/// <param name="Container">The container's part of the pod's spec.</param>
/// <param name="Environment">Its environment, resolved.</param>
/// <param name="RunsToCompletion">True for init containers and pods of Jobs: the program is expected to end.</param>
/// <param name="Resumed">True when the container ran before this process started, as its status tells.</param>
internal sealed record ContainerStart(
    string ClusterName,
    JsonObject Pod,
    JsonObject Container,
    IReadOnlyDictionary<string, string> Environment,
    bool RunsToCompletion,
    bool Resumed);

/// <summary>How a container ended: its exit code and the last of what it had to say.</summary>
internal sealed record ContainerExit(int Code, string Message)
{
    public static readonly ContainerExit Completed = new(0, "");

    /// <summary>Ended by SIGTERM, as asked.</summary>
    public static readonly ContainerExit Stopped = new(143, "");
}

/// <summary>What runs in a container: simulated, or a real program.</summary>
internal interface IContainerProgram
{
    /// <summary>
    /// Runs until the program ends by itself or <paramref name="stop"/> asks it to; reports readiness through
    /// <paramref name="ready"/>, from any thread, at most once. Does not block before its first await.
    /// </summary>
    Task<ContainerExit> RunAsync(ContainerStart start, Action ready, CancellationToken stop);

    /// <summary>True when the program survives a restart of this process only by being started anew.</summary>
    bool DiesWithSimulator { get; }
}
