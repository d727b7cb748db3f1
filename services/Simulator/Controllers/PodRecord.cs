using System.Text.Json.Nodes;
using Cloud.Simulator.Applications;

namespace Cloud.Simulator.Controllers;

internal enum ContainerPhase
{
    Waiting,
    Running,
    Terminated,
}

/// <summary>What a node knows of one container of a pod that it runs.</summary>
internal sealed class ContainerRecord(JsonObject spec, bool isInit)
{
    public JsonObject Spec { get; } = spec;

    public string Name { get; } = spec.Text("name") ?? "";

    public string Image { get; } = spec.Text("image") ?? "";

    public bool IsInit { get; } = isInit;

    /// <summary>An init container that keeps running beside the others.</summary>
    public bool IsSidecar => IsInit && Spec.Text("restartPolicy") == "Always";

    public ContainerPhase Phase { get; set; } = ContainerPhase.Waiting;

    /// <summary>Why it waits.</summary>
    public string Reason { get; set; } = isInit ? "PodInitializing" : "ContainerCreating";

    public string? Message { get; set; }

    public DateTimeOffset StartedAt { get; set; }

    public DateTimeOffset FinishedAt { get; set; }

    public ContainerExit? Exit { get; set; }

    /// <summary>The terminated state before the present one, as the status shows it.</summary>
    public JsonObject? LastState { get; set; }

    public int RestartCount { get; set; }

    /// <summary>Failed starts in a row: sets the back-off.</summary>
    public int Failures { get; set; }

    /// <summary>When a waiting container is tried again; null waits for something else to change.</summary>
    public DateTimeOffset? RetryAt { get; set; } = DateTimeOffset.MinValue;

    /// <summary>The start of which it was told that the container is not healthy.</summary>
    public DateTimeOffset? UnhealthyToldFor { get; set; }

    public ContainerRun? Run { get; set; }

    public bool IsReady => Phase == ContainerPhase.Running && Run is { IsReady: true };

    public bool HasCompleted => Phase == ContainerPhase.Terminated && Exit is { Code: 0 };
}

/// <summary>
/// What a node knows of one pod that it runs. Lost with the process; made anew from the pod's status.
/// </summary>
internal sealed class PodRecord(ObjectKey key, JsonObject pod)
{
    public ObjectKey Key { get; } = key;

    public string Uid { get; } = pod.Uid();

    public IReadOnlyList<ContainerRecord> InitContainers { get; } =
        [.. pod.Items("spec", "initContainers").Select(c => new ContainerRecord(c, isInit: true))];

    public IReadOnlyList<ContainerRecord> Containers { get; } =
        [.. pod.Items("spec", "containers").Select(c => new ContainerRecord(c, isInit: false))];

    public IEnumerable<ContainerRecord> All => InitContainers.Concat(Containers);

    /// <summary>When the node first heard of the pod.</summary>
    public DateTimeOffset StartTime { get; set; }

    /// <summary>When its containers may start: the time that pulling and mounting would take.</summary>
    public DateTimeOffset StartAt { get; set; }

    public string? Ip { get; set; }

    public string? HostIp { get; set; }

    /// <summary>What keeps its volumes from being mounted.</summary>
    public string? MountProblem { get; set; }

    public bool IsTerminating { get; set; }

    public DateTimeOffset GoneAt { get; set; }

    /// <summary>True while a Secret or ConfigMap that it needs is missing.</summary>
    public bool WaitsForConfiguration =>
        MountProblem is not null
        || All.Any(c => c is { Phase: ContainerPhase.Waiting, Reason: "CreateContainerConfigError" });
}
