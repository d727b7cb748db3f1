using Cloud.Simulator.ApiServers;

namespace Cloud.Simulator.Controllers;

/// <summary>What every controller of one cluster is given.</summary>
internal sealed record ControllerScope(
    ClusterSettings Settings,
    ControllerLoop Loop,
    ClusterObjects Objects,
    EventRecorder Events,
    RandomNames Names,
    ILogger Logger)
{
    public DateTimeOffset Now => Loop.Now;
}
