using System.Text.Json.Nodes;

namespace Cloud.Simulator.Controllers;

/// <summary>
/// Binds pods to nodes by requests, selectors, taints and anti-affinity, to the freest node. A pod that fits nowhere
/// is told so and looked at again when room appears, not before.
/// </summary>
internal sealed class Scheduler(ControllerScope scope) : IController
{
    private const string Component = "default-scheduler";
    private readonly SortedDictionary<string, NodeRoom> _nodes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _nodeOfPod = new(StringComparer.Ordinal);
    private readonly HashSet<ObjectKey> _waiting = [];

    public Lane Lane => Lane.Pods;

    public void Observe(Change change)
    {
        if (change.Key.Resource == Resources.Nodes) ObserveNode(change);
        else if (change.Key.Resource == Resources.Pods) ObservePod(change);
    }

    public void Reconcile(ObjectKey key)
    {
        if (scope.Objects.Get(key) is not { } pod || !NeedsNode(pod))
        {
            _waiting.Remove(key);
            return;
        }
        var request = PodRequest.Of(pod);
        NodeRoom? best = null;
        var refusals = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var room in _nodes.Values)
        {
            var reasons = NodeFit.Refusals(scope.Objects, room, pod, request);
            foreach (var reason in reasons) refusals[reason] = refusals.GetValueOrDefault(reason) + 1;
            if (reasons.Count == 0 && (best is null || room.FreeWith(request) > best.FreeWith(request))) best = room;
        }
        if (best is null) Refuse(key, pod, refusals);
        else Bind(key, pod, best, request);
    }

    private void ObserveNode(Change change)
    {
        if (change.New is null)
        {
            _nodes.Remove(change.Key.Name);
            return;
        }
        if (_nodes.TryGetValue(change.Key.Name, out var room)) room.Node = change.New;
        else
        {
            _nodes[change.Key.Name] = room = new NodeRoom(change.New);
            foreach (var pod in scope.Objects[Resources.Pods].All) Count(KeyOf(pod), pod);
        }
        RetryWaiting(room);
    }

    private void ObservePod(Change change)
    {
        if (change.New is { } pod && !Pods.IsFinished(pod))
        {
            if (change.Old is not null && change.Old.Uid() != pod.Uid()) Release(change.Old);
            Count(change.Key, pod);
            if (NeedsNode(pod) && !_waiting.Contains(change.Key)) scope.Loop.Enqueue(this, change.Key);
            return;
        }
        _waiting.Remove(change.Key);
        Release(change.New ?? change.Old!);
    }

    private void Count(ObjectKey key, JsonObject pod)
    {
        if (pod.Text("spec", "nodeName") is not { } node || Pods.IsFinished(pod)) return;
        if (!_nodes.TryGetValue(node, out var room)) return;
        room.Take(key, PodRequest.Of(pod));
        _nodeOfPod[pod.Uid()] = node;
    }

    private void Release(JsonObject pod)
    {
        if (!_nodeOfPod.Remove(pod.Uid(), out var node) || !_nodes.TryGetValue(node, out var room)) return;
        if (room.Release(KeyOf(pod))) RetryWaiting(room);
    }

    /// <summary>Only those that would now fit here are tried again: one free place must not wake thousands.</summary>
    private void RetryWaiting(NodeRoom room)
    {
        foreach (var key in _waiting)
        {
            if (scope.Objects.Get(key) is { } pod && !room.Shortages(PodRequest.Of(pod)).Any())
                scope.Loop.Enqueue(this, key);
        }
    }

    private void Bind(ObjectKey key, JsonObject pod, NodeRoom room, PodRequest request)
    {
        var bound = pod.Copy();
        bound.Child("spec")["nodeName"] = room.Node.Name();
        var written = scope.Objects.Update(Resources.Pods, bound);
        _waiting.Remove(key);
        room.Take(key, request);
        _nodeOfPod[pod.Uid()] = room.Node.Name();
        var status = written["status"]?.DeepClone() as JsonObject ?? [];
        Conditions.Set(status, "PodScheduled", true, null, null, scope.Now);
        scope.Objects.UpdateStatus(Resources.Pods, written, status);
        scope.Events.Normal(pod, Component, "Scheduled",
            $"Successfully assigned {key.Namespace}/{key.Name} to {room.Node.Name()}");
    }

    private void Refuse(ObjectKey key, JsonObject pod, Dictionary<string, int> refusals)
    {
        _waiting.Add(key);
        var message = Wording(refusals);
        var status = pod["status"]?.DeepClone() as JsonObject ?? [];
        status["phase"] = "Pending";
        var told = Conditions.Find(status, "PodScheduled").Text("message");
        Conditions.Set(status, "PodScheduled", false, "Unschedulable", message, scope.Now);
        scope.Objects.UpdateStatus(Resources.Pods, pod, status);
        if (told != message) scope.Events.Warning(pod, Component, "FailedScheduling", message);
    }

    private string Wording(Dictionary<string, int> refusals)
    {
        var count = _nodes.Count;
        if (count == 0) return "no nodes available to schedule pods";
        var reasons = string.Join(", ", refusals.Select(r => $"{r.Value} {r.Key}").Order(StringComparer.Ordinal));
        var hopeless = refusals.Where(r => !NodeFit.PreemptionCouldHelp(r.Key)).Sum(r => r.Value);
        var preemption = hopeless >= count
            ? $"{count} Preemption is not helpful for scheduling"
            : $"{count} No preemption victims found for incoming pod";
        return $"0/{count} nodes are available: {reasons}. preemption: 0/{count} nodes are available: {preemption}.";
    }

    private static bool NeedsNode(JsonObject pod) =>
        pod.Text("spec", "nodeName") is null && Pods.IsActive(pod)
        && (pod.Text("spec", "schedulerName") ?? "default-scheduler") == "default-scheduler"
        && !pod.Items("spec", "schedulingGates").Any();

    private static ObjectKey KeyOf(JsonObject pod) => new(Resources.Pods, pod.Namespace(), pod.Name());
}
