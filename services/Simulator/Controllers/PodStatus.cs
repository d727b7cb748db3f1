using System.Text.Json.Nodes;
using Cloud.Simulator.Applications;

namespace Cloud.Simulator.Controllers;

/// <summary>Words what a node knows of a pod as the pod's status.</summary>
internal static class PodStatus
{
    public static JsonObject Of(JsonObject pod, PodRecord record, DateTimeOffset now)
    {
        var status = pod["status"]?.DeepClone() as JsonObject ?? [];
        status["phase"] = Phase(pod, record);
        status["startTime"] = JsonFields.Stamp(record.StartTime);
        if (record.HostIp is { } hostIp)
        {
            status["hostIP"] = hostIp;
            status["hostIPs"] = new JsonArray(new JsonObject { ["ip"] = hostIp });
        }
        if (record.Ip is { } ip)
        {
            status["podIP"] = ip;
            status["podIPs"] = new JsonArray(new JsonObject { ["ip"] = ip });
        }
        status["qosClass"] ??= QualityOfService(pod);
        if (record.InitContainers.Count > 0) status["initContainerStatuses"] = Containers(record.InitContainers);
        status["containerStatuses"] = Containers(record.Containers);
        SetConditions(status, record, now);
        return status;
    }

    public static string Phase(JsonObject pod, PodRecord record)
    {
        var never = pod.Text("spec", "restartPolicy") == "Never";
        if (never && record.InitContainers.Any(c => c is { Phase: ContainerPhase.Terminated, Exit.Code: not 0 }))
            return "Failed";
        if (record.Containers.All(c => c.Phase == ContainerPhase.Terminated))
            return record.Containers.All(c => c.HasCompleted) ? "Succeeded" : "Failed";
        var started = record.Containers.All(c => c.Phase != ContainerPhase.Waiting || c.Exit is not null);
        return started ? "Running" : "Pending";
    }

    public static bool IsInitialized(PodRecord record) =>
        record.InitContainers.All(c => c.HasCompleted || (c.IsSidecar && c.Phase == ContainerPhase.Running));

    private static void SetConditions(JsonObject status, PodRecord record, DateTimeOffset now)
    {
        var phase = status.Text("phase");
        var unready = record.Containers.Where(c => !c.IsReady).Select(c => c.Name).ToList();
        var uninitialized = record.InitContainers.Where(c => !c.HasCompleted).Select(c => c.Name).ToList();
        Conditions.Set(status, "PodReadyToStartContainers", record.Ip is not null && phase is "Pending" or "Running",
            null, null, now);
        if (IsInitialized(record)) Conditions.Set(status, "Initialized", true, Completed(phase), null, now);
        else
            Conditions.Set(status, "Initialized", false, "ContainersNotInitialized",
                $"containers with incomplete status: [{string.Join(' ', uninitialized)}]", now);
        foreach (var type in (string[])["Ready", "ContainersReady"])
        {
            if (record.IsTerminating) Conditions.Set(status, type, false, "ContainersNotReady", null, now);
            else if (phase is "Succeeded") Conditions.Set(status, type, false, "PodCompleted", null, now);
            else if (phase is "Failed") Conditions.Set(status, type, false, "PodFailed", null, now);
            else if (unready.Count == 0) Conditions.Set(status, type, true, null, null, now);
            else
                Conditions.Set(status, type, false, "ContainersNotReady",
                    $"containers with unready status: [{string.Join(' ', unready)}]", now);
        }
    }

    private static string? Completed(string? phase) => phase == "Succeeded" ? "PodCompleted" : null;

    private static JsonArray Containers(IReadOnlyList<ContainerRecord> containers) =>
        JsonFields.ToArray(containers.Select(Container));

    private static JsonObject Container(ContainerRecord container)
    {
        var image = ImageReference.Parse(container.Image);
        var started = container.Phase == ContainerPhase.Running;
        var status = new JsonObject
        {
            ["name"] = container.Name,
            ["image"] = container.Image,
            ["imageID"] = container.Exit is null && !started ? "" : $"simulated://{image.Repository}/{image.Version}",
            ["ready"] = container.IsInit && !container.IsSidecar ? container.HasCompleted : container.IsReady,
            ["started"] = started,
            ["restartCount"] = container.RestartCount,
            ["state"] = State(container),
            ["lastState"] = container.LastState is { } last
                ? new JsonObject { ["terminated"] = last.DeepClone() }
                : new JsonObject(),
        };
        return status;
    }

    private static JsonObject State(ContainerRecord container)
    {
        switch (container.Phase)
        {
            case ContainerPhase.Running:
                var startedAt = JsonFields.Stamp(container.StartedAt);
                return new JsonObject { ["running"] = new JsonObject { ["startedAt"] = startedAt } };
            case ContainerPhase.Terminated:
                var terminated = ContainerLifecycle.Terminated(
                    container.Exit!, container.StartedAt, container.FinishedAt);
                return new JsonObject { ["terminated"] = terminated };
            default:
                var waiting = new JsonObject { ["reason"] = container.Reason };
                if (container.Message is { } message) waiting["message"] = message;
                return new JsonObject { ["waiting"] = waiting };
        }
    }

    private static string QualityOfService(JsonObject pod)
    {
        var containers = pod.Items("spec", "containers").ToList();
        var any = containers.Any(c => c.At("resources", "requests") is JsonObject { Count: > 0 }
            || c.At("resources", "limits") is JsonObject { Count: > 0 });
        if (!any) return "BestEffort";
        var guaranteed = containers.All(c => Same(c, "cpu") && Same(c, "memory"));
        return guaranteed ? "Guaranteed" : "Burstable";
    }

    private static bool Same(JsonObject container, string what) =>
        container.Text("resources", "limits", what) is { } limit
        && (container.Text("resources", "requests", what) ?? limit) == limit;
}
