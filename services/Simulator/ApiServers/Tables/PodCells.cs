using System.Globalization;
using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;

namespace Cloud.Simulator.ApiServers.Tables;

/// <summary>What <c>kubectl get pods</c> says of a pod.</summary>
internal static class PodCells
{
    public static string Ready(JsonObject pod)
    {
        var statuses = Statuses(pod, "containerStatuses").ToList();
        var restartable = Sidecars(pod).ToList();
        var total = (pod.ListAt("spec", "containers")?.Count ?? 0) + restartable.Count;
        var ready = statuses.Count(s => s.Flag("ready"))
            + Statuses(pod, "initContainerStatuses").Count(s =>
                s.Flag("ready") && restartable.Contains(s.Text("name")));
        return string.Create(CultureInfo.InvariantCulture, $"{ready}/{total}");
    }

    /// <summary>Phase, or the reason that says more: CrashLoopBackOff, Init:0/1, Completed, Terminating.</summary>
    public static string Status(JsonObject pod)
    {
        var reason = pod.Text("status", "reason") ?? pod.Text("status", "phase") ?? "";
        if (pod.ListAt("spec", "schedulingGates") is { Count: > 0 }) reason = "SchedulingGated";
        reason = InitStatus(pod) ?? ContainerStatus(pod) ?? reason;
        if (!pod.IsBeingDeleted()) return reason;
        return pod.Text("status", "reason") == "NodeLost" ? "Unknown" : "Terminating";
    }

    public static string Restarts(JsonObject pod, DateTimeOffset now)
    {
        var statuses = Statuses(pod, "containerStatuses").Concat(Statuses(pod, "initContainerStatuses")).ToList();
        var count = statuses.Sum(s => s.Number("restartCount") ?? 0);
        var last = statuses.Select(s => s.Text("lastState", "terminated", "finishedAt"))
            .Where(t => t is not null).Max(StringComparer.Ordinal);
        return count > 0 && last is not null
            ? string.Create(CultureInfo.InvariantCulture, $"{count} ({Ages.Since(last, now)} ago)")
            : count.ToString(CultureInfo.InvariantCulture);
    }

    private static string? InitStatus(JsonObject pod)
    {
        var sidecars = Sidecars(pod).ToHashSet();
        var statuses = Statuses(pod, "initContainerStatuses").ToList();
        for (var i = 0; i < statuses.Count; i++)
        {
            var status = statuses[i];
            if (status.Number("state", "terminated", "exitCode") == 0) continue;
            if (sidecars.Contains(status.Text("name")) && status.Flag("started")) continue;
            if (status.At("state", "terminated") is not null) return "Init:" + Terminated(status);
            var waiting = status.Text("state", "waiting", "reason");
            if (waiting is { Length: > 0 } and not "PodInitializing") return "Init:" + waiting;
            return string.Create(CultureInfo.InvariantCulture,
                $"Init:{i}/{pod.ListAt("spec", "initContainers")?.Count ?? 0}");
        }
        return null;
    }

    private static string? ContainerStatus(JsonObject pod)
    {
        string? reason = null;
        var running = false;
        foreach (var status in Statuses(pod, "containerStatuses").Reverse())
        {
            if (status.Text("state", "waiting", "reason") is { Length: > 0 } waiting) reason = waiting;
            else if (status.At("state", "terminated") is not null) reason = Terminated(status);
            else if (status.Flag("ready") && status.At("state", "running") is not null) running = true;
        }
        return reason == "Completed" && running ? "Running" : reason;
    }

    private static string Terminated(JsonNode status)
    {
        var terminated = status.At("state", "terminated");
        if (terminated.Text("reason") is { Length: > 0 } reason) return reason;
        return terminated.Number("signal") is > 0 and { } signal
            ? string.Create(CultureInfo.InvariantCulture, $"Signal:{signal}")
            : string.Create(CultureInfo.InvariantCulture, $"ExitCode:{terminated.Number("exitCode") ?? 0}");
    }

    private static IEnumerable<string?> Sidecars(JsonObject pod) =>
        (pod.ListAt("spec", "initContainers") ?? []).Where(c => c.Text("restartPolicy") == "Always")
            .Select(c => c.Text("name"));

    private static IEnumerable<JsonNode> Statuses(JsonObject pod, string list) =>
        (pod.ListAt("status", list) ?? []).OfType<JsonNode>();
}
