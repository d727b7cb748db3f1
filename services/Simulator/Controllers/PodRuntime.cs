using System.Text.Json.Nodes;
using Cloud.Simulator.Applications;

namespace Cloud.Simulator.Controllers;

/// <summary>
/// The nodes: runs the pods that are bound to them, reports how they are, and stops those that are deleted.
/// </summary>
/// <remarks>
/// What it knows of a pod lives in memory. After a restart of the process a pod that ran is taken up from its status:
/// simulated containers go on as if nothing had happened, real programs are started again and count one restart.
/// A container's program runs outside the loop and only ever wakes the pod's key.
/// </remarks>
internal sealed class PodRuntime : IController
{
    private const string Kubelet = "kubelet";
    private readonly ControllerScope _scope;
    private readonly RuntimeSettings _settings;
    private readonly RuntimeControls _controls;
    private readonly ContainerLifecycle _lifecycle;
    private readonly PodAddresses _addresses = new();
    private readonly Dictionary<string, PodRecord> _pods = new(StringComparer.Ordinal);
    private readonly HashSet<ObjectKey> _unconfigured = [];

    public PodRuntime(
        ControllerScope scope, RuntimeSettings settings, RuntimeControls controls, ContainerPrograms programs)
    {
        _scope = scope;
        _settings = settings;
        _controls = controls;
        _lifecycle = new ContainerLifecycle(
            scope, settings, controls, programs, key => scope.Loop.Enqueue(this, key));
        controls.CrashAsked += (ns, selector) => scope.Loop.Post(() => Crash(ns, selector));
    }

    public Lane Lane => Lane.Pods;

    /// <summary>The environment that a pod's first container was started with; null when it has not been.</summary>
    public IReadOnlyDictionary<string, string>? EnvironmentOf(JsonObject pod) =>
        _pods.GetValueOrDefault(pod.Uid())?.Containers[0].Run?.Start.Environment;

    public void Observe(Change change)
    {
        if (change.Key.Resource == Resources.Pods)
        {
            if (change.Old is { } old && old.Uid() != change.New?.Uid()) Drop(old.Uid());
            if (change.New.Text("spec", "nodeName") is not null) _scope.Loop.Enqueue(this, change.Key);
            return;
        }
        if (change.Key.Resource is Resources.Secrets or Resources.ConfigMaps or Resources.VolumeClaims
            && change.New is not null) WakeWaiting(change.Key.Namespace);
    }

    public void Reconcile(ObjectKey key)
    {
        if (_scope.Objects.Get(key) is not { } pod || pod.Text("spec", "nodeName") is null) return;
        if (pod.IsDeleting())
        {
            Terminate(key, pod);
            return;
        }
        if (Pods.IsFinished(pod))
        {
            Drop(pod.Uid());
            return;
        }
        if (!_pods.TryGetValue(pod.Uid(), out var record)) _pods[pod.Uid()] = record = TakeUp(key, pod);
        Advance(key, pod, record);
        if (record.WaitsForConfiguration) _unconfigured.Add(key);
        else _unconfigured.Remove(key);
        var status = PodStatus.Of(pod, record, _scope.Now);
        _scope.Objects.UpdateStatus(Resources.Pods, pod, status);
        if (status.Text("phase") is "Succeeded" or "Failed") Drop(pod.Uid());
    }

    /// <summary>
    /// Ends every program, for this process is about to end; waits until they have, or the token says no more.
    /// </summary>
    public async Task StopAllAsync(CancellationToken ct)
    {
        var runs = _pods.Values.SelectMany(p => p.All).Select(c => c.Run).OfType<ContainerRun>().ToList();
        foreach (var run in runs) run.Stop();
        await Task.WhenAll(runs.Select(r => r.Ended)).WaitAsync(ct);
    }

    private PodRecord TakeUp(ObjectKey key, JsonObject pod)
    {
        var node = _scope.Objects[Resources.Nodes].Get(null, pod.Text("spec", "nodeName")!);
        var record = new PodRecord(key, pod)
        {
            HostIp = node.Items("status", "addresses").FirstOrDefault()?.Text("address"),
            StartTime = pod.Time("status", "startTime") ?? _scope.Now,
            Ip = pod.Text("status", "podIP"),
        };
        if (record.Ip is not null) _addresses.Take(record.Ip);
        record.StartAt = record.Ip is null ? _scope.Now + _controls.PodStartDelay : _scope.Now;
        foreach (var container in record.All) TakeUp(pod, record, container);
        return record;
    }

    private void TakeUp(JsonObject pod, PodRecord record, ContainerRecord container)
    {
        var list = container.IsInit ? "initContainerStatuses" : "containerStatuses";
        var status = pod.Items("status", list).FirstOrDefault(s => s.Text("name") == container.Name);
        if (status is null) return;
        container.RestartCount = status.Int("restartCount");
        container.LastState = status.At("lastState", "terminated")?.DeepClone() as JsonObject;
        if (container.LastState is { } last) container.Exit = new ContainerExit(last.Int("exitCode"), "");
        if (status.At("state", "terminated") is JsonObject ended)
        {
            container.Phase = ContainerPhase.Terminated;
            container.Exit = new ContainerExit(ended.Int("exitCode"), ended.Text("message") ?? "");
            container.StartedAt = ended.Time("startedAt") ?? _scope.Now;
            container.FinishedAt = ended.Time("finishedAt") ?? _scope.Now;
        }
        else if (status.At("state", "running") is JsonObject running)
        {
            container.StartedAt = running.Time("startedAt") ?? _scope.Now;
            _lifecycle.Resume(pod, record, container, status.Flag("ready") == true);
        }
    }

    private void Advance(ObjectKey key, JsonObject pod, PodRecord record)
    {
        if (record.StartAt > _scope.Now)
        {
            _scope.Loop.EnqueueAfter(this, key, record.StartAt - _scope.Now);
            return;
        }
        if (record.Ip is null)
        {
            if (Mount(pod, record) is not null) return;
            record.Ip = pod.Flag("spec", "hostNetwork") == true ? record.HostIp : _addresses.Next();
        }
        foreach (var container in record.InitContainers)
        {
            Look(key, pod, record, container);
            if (!container.HasCompleted && !(container.IsSidecar && container.Phase == ContainerPhase.Running)) return;
        }
        foreach (var container in record.Containers) Look(key, pod, record, container);
    }

    private void Look(ObjectKey key, JsonObject pod, PodRecord record, ContainerRecord container)
    {
        if (_lifecycle.Advance(pod, record, container) is { } delay) _scope.Loop.EnqueueAfter(this, key, delay);
    }

    private string? Mount(JsonObject pod, PodRecord record)
    {
        var problem = PodVolumes.Missing(_scope.Objects, pod);
        if (problem is not null && problem != record.MountProblem)
            _scope.Events.Warning(pod, Kubelet, "FailedMount", problem);
        return record.MountProblem = problem;
    }

    private void Terminate(ObjectKey key, JsonObject pod)
    {
        if (_pods.TryGetValue(pod.Uid(), out var record))
        {
            if (!record.IsTerminating) BeginStop(key, pod, record);
            if (record.All.Any(c => c.Run is { Exit: null })) return;
            if (record.GoneAt > _scope.Now)
            {
                _scope.Loop.EnqueueAfter(this, key, record.GoneAt - _scope.Now);
                return;
            }
        }
        Drop(pod.Uid());
        _scope.Objects.Delete(key, pod, graceSeconds: 0);
    }

    private void BeginStop(ObjectKey key, JsonObject pod, PodRecord record)
    {
        record.IsTerminating = true;
        var grace = TimeSpan.FromSeconds(pod.Int("metadata", "deletionGracePeriodSeconds"));
        record.GoneAt = _scope.Now + (grace < _settings.StopDelay ? grace : _settings.StopDelay);
        foreach (var container in record.All)
        {
            if (container.Run is not { Exit: null } run) continue;
            _scope.Events.Normal(pod, Kubelet, "Killing", $"Stopping container {container.Name}",
                $"spec.containers{{{container.Name}}}");
            run.Stop();
        }
        _scope.Loop.Enqueue(this, key);
    }

    private void Drop(string uid)
    {
        if (!_pods.Remove(uid, out var record)) return;
        _unconfigured.Remove(record.Key);
        if (record.Ip is { } ip) _addresses.Release(ip);
        foreach (var container in record.All) container.Run?.Stop();
    }

    private void WakeWaiting(string? ns)
    {
        foreach (var key in _unconfigured)
        {
            if (key.Namespace == ns) _scope.Loop.Enqueue(this, key);
        }
    }

    private void Crash(string? ns, string selector)
    {
        foreach (var pod in _scope.Objects.Api.List(Resources.Pods, ns, selector.Length == 0 ? null : selector))
        {
            if (!_pods.TryGetValue(pod.Uid(), out var record)) continue;
            foreach (var container in record.Containers) container.Run?.Stop();
        }
    }
}
