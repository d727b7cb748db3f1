using System.Text.Json.Nodes;
using Cloud.Simulator.Applications;

namespace Cloud.Simulator.Controllers;

/// <summary>
/// Brings one container as far as it can get now: pulls, configures, starts, notices that it ended, and starts it
/// again after a growing wait where the pod's restart policy says so.
/// </summary>
internal sealed class ContainerLifecycle(
    ControllerScope scope, RuntimeSettings settings, RuntimeControls controls, ContainerPrograms programs,
    Action<ObjectKey> wake)
{
    private const string Kubelet = "kubelet";

    /// <summary>Seconds between probes when a probe does not say.</summary>
    private const int DefaultProbePeriod = 10;

    /// <summary>A container that ran this long is no longer counted as failing.</summary>
    private static readonly TimeSpan Recovered = TimeSpan.FromMinutes(10);

    /// <summary>
    /// Advances a container; returns how long until it is to be looked at again, if time alone will help.
    /// </summary>
    public TimeSpan? Advance(JsonObject pod, PodRecord record, ContainerRecord container)
    {
        if (container.Phase == ContainerPhase.Running && container.Run?.Exit is { } exit) OnExit(pod, container, exit);
        if (container.Phase == ContainerPhase.Running) return Probe(pod, container);
        if (container.Phase != ContainerPhase.Waiting) return null;
        if (container.Reason == "CreateContainerConfigError") return TryStart(pod, record, container);
        if (container.RetryAt is not { } retryAt) return null;
        return retryAt > scope.Now ? retryAt - scope.Now : TryStart(pod, record, container);
    }

    /// <summary>Takes up a container that ran before this process did.</summary>
    public void Resume(JsonObject pod, PodRecord record, ContainerRecord container, bool wasReady)
    {
        var program = programs.For(container.Image);
        var environment = Environment(pod, record).Resolve(container.Spec);
        container.Phase = ContainerPhase.Running;
        if (program.DiesWithSimulator)
        {
            // It died with the process that had started it; this is its next life.
            container.LastState = Terminated(new ContainerExit(137, ""), container.StartedAt, scope.Now);
            container.RestartCount++;
            Begin(pod, record, container, program, environment.Variables, resumed: false);
            return;
        }
        var started = container.StartedAt;
        Begin(pod, record, container, program, environment.Variables, resumed: wasReady);
        container.StartedAt = started;
    }

    public static JsonObject Terminated(ContainerExit exit, DateTimeOffset started, DateTimeOffset finished)
    {
        var terminated = new JsonObject
        {
            ["exitCode"] = exit.Code,
            ["reason"] = exit.Code == 0 ? "Completed" : "Error",
            ["startedAt"] = JsonFields.Stamp(started),
            ["finishedAt"] = JsonFields.Stamp(finished),
        };
        if (exit.Message.Length > 0) terminated["message"] = exit.Message;
        return terminated;
    }

    private TimeSpan? TryStart(JsonObject pod, PodRecord record, ContainerRecord container)
    {
        if (IsMissing(container.Image)) return FailPull(pod, container);
        var environment = Environment(pod, record).Resolve(container.Spec);
        if (environment.Problem is { } problem)
        {
            if (container.Message != problem)
                scope.Events.Warning(pod, Kubelet, "Failed", $"Error: {problem}", FieldPath(container));
            Wait(container, "CreateContainerConfigError", problem, null);
            return null;
        }
        if (container.Exit is not null) container.RestartCount++;
        if (container.RestartCount == 0)
            scope.Events.Normal(pod, Kubelet, "Pulled",
                $"Container image \"{container.Image}\" already present on machine", FieldPath(container));
        scope.Events.Normal(pod, Kubelet, "Created", $"Created container: {container.Name}", FieldPath(container));
        Begin(pod, record, container, programs.For(container.Image), environment.Variables, resumed: false);
        scope.Events.Normal(pod, Kubelet, "Started", $"Started container {container.Name}", FieldPath(container));
        return null;
    }

    /// <summary>Tells, once per start, of a container that is not ready when its readiness probe first asks.</summary>
    private TimeSpan? Probe(JsonObject pod, ContainerRecord container)
    {
        if (container.IsReady || container.Spec["readinessProbe"] is not JsonObject probe) return null;
        var seconds = probe.Int("initialDelaySeconds") + (probe.Number("periodSeconds") ?? DefaultProbePeriod);
        var left = container.StartedAt + TimeSpan.FromSeconds(seconds) - scope.Now;
        if (left > TimeSpan.Zero) return left;
        if (container.UnhealthyToldFor == container.StartedAt) return null;
        container.UnhealthyToldFor = container.StartedAt;
        scope.Events.Warning(pod, Kubelet, "Unhealthy",
            "Readiness probe failed: the program has not reported that it is ready", FieldPath(container));
        return null;
    }

    private bool IsMissing(string image)
    {
        var reference = ImageReference.Parse(image);
        var missing = controls.MissingImages;
        return reference.IsMissing || missing.Contains(image) || missing.Contains(reference.Repository);
    }

    private void Begin(JsonObject pod, PodRecord record, ContainerRecord container, IContainerProgram program,
        IReadOnlyDictionary<string, string> variables, bool resumed)
    {
        var isJob = pod.OwnerReferences().Any(o => o.Text("kind") == "Job");
        var completes = (container.IsInit && !container.IsSidecar) || isJob;
        var start = new ContainerStart(
            scope.Settings.Name, pod, container.Spec, variables, completes, resumed);
        container.Phase = ContainerPhase.Running;
        container.StartedAt = scope.Now;
        container.Message = null;
        container.Run = ContainerRun.Begin(program, start, scope.Loop, () => wake(record.Key));
    }

    private void OnExit(JsonObject pod, ContainerRecord container, ContainerExit exit)
    {
        container.Exit = exit;
        container.FinishedAt = scope.Now;
        container.Run = null;
        if (!Restarts(pod, container, exit))
        {
            container.Phase = ContainerPhase.Terminated;
            return;
        }
        container.LastState = Terminated(exit, container.StartedAt, scope.Now);
        container.Failures = scope.Now - container.StartedAt >= Recovered ? 0 : container.Failures;
        var wait = BackOff(container.Failures++);
        if (wait == TimeSpan.Zero)
        {
            // The first restart is at once, as the real one's.
            Wait(container, "ContainerCreating", null, scope.Now);
            return;
        }
        var name = $"{pod.Name()}_{pod.Namespace()}({pod.Uid()})";
        Wait(container, "CrashLoopBackOff",
            $"back-off {Duration(wait)} restarting failed container={container.Name} pod={name}", scope.Now + wait);
        scope.Events.Warning(pod, Kubelet, "BackOff",
            $"Back-off restarting failed container {container.Name} in pod {name}", FieldPath(container));
    }

    private TimeSpan? FailPull(JsonObject pod, ContainerRecord container)
    {
        var path = FieldPath(container);
        if (container.Reason == "ErrImagePull")
        {
            var wait = BackOff(container.Failures);
            Wait(container, "ImagePullBackOff", $"Back-off pulling image \"{container.Image}\"", scope.Now + wait);
            scope.Events.Normal(pod, Kubelet, "BackOff", $"Back-off pulling image \"{container.Image}\"", path);
            scope.Events.Warning(pod, Kubelet, "Failed", "Error: ImagePullBackOff", path);
            return wait;
        }
        container.Failures++;
        var problem = $"failed to pull and unpack image \"{container.Image}\": not found";
        Wait(container, "ErrImagePull", problem, scope.Now + settings.StopDelay);
        scope.Events.Warning(pod, Kubelet, "Failed", $"Failed to pull image \"{container.Image}\": {problem}", path);
        scope.Events.Warning(pod, Kubelet, "Failed", "Error: ErrImagePull", path);
        return settings.StopDelay;
    }

    private ContainerEnvironment Environment(JsonObject pod, PodRecord record) =>
        new(scope.Objects, pod, record.Ip, record.HostIp);

    private TimeSpan BackOff(int failures)
    {
        if (failures == 0) return TimeSpan.Zero;
        var ticks = settings.BackOff.Ticks << Math.Min(failures - 1, 16);
        return TimeSpan.FromTicks(Math.Min(ticks, settings.LongestBackOff.Ticks));
    }

    private static bool Restarts(JsonObject pod, ContainerRecord container, ContainerExit exit)
    {
        if (pod.IsDeleting()) return false;
        if (container.IsSidecar) return true;
        var policy = pod.Text("spec", "restartPolicy") ?? "Always";
        if (container.IsInit && policy == "Always") policy = "OnFailure";
        return policy == "Always" || (policy == "OnFailure" && exit.Code != 0);
    }

    private static void Wait(ContainerRecord container, string reason, string? message, DateTimeOffset? retryAt)
    {
        container.Phase = ContainerPhase.Waiting;
        container.Reason = reason;
        container.Message = message;
        container.RetryAt = retryAt;
    }

    private static string Duration(TimeSpan time) => time.TotalMinutes < 1
        ? FormattableString.Invariant($"{time.TotalSeconds:0.###}s")
        : FormattableString.Invariant($"{(int)time.TotalMinutes}m{time.Seconds}s");

    private static string FieldPath(ContainerRecord container) =>
        container.IsInit ? $"spec.initContainers{{{container.Name}}}" : $"spec.containers{{{container.Name}}}";
}
