using System.Text.Json.Nodes;

namespace Cloud.Simulator.Controllers;

/// <summary>What a pod asks for: thousandths of a core, bytes, and one place.</summary>
internal readonly record struct PodRequest(long Cpu, long Memory)
{
    /// <summary>The sum over containers, or the largest init container where that is more.</summary>
    public static PodRequest Of(JsonObject pod)
    {
        long cpu = 0, memory = 0;
        foreach (var container in pod.Items("spec", "containers"))
        {
            cpu += Quantity.Thousandths(Asked(container, "cpu"));
            memory += Quantity.Units(Asked(container, "memory"));
        }
        foreach (var container in pod.Items("spec", "initContainers"))
        {
            cpu = Math.Max(cpu, Quantity.Thousandths(Asked(container, "cpu")));
            memory = Math.Max(memory, Quantity.Units(Asked(container, "memory")));
        }
        return new PodRequest(cpu, memory);
    }

    // A limit without a request counts as the request.
    private static string? Asked(JsonObject container, string what) =>
        container.Text("resources", "requests", what) ?? container.Text("resources", "limits", what);
}

/// <summary>A node's room and what its pods have taken of it, kept current pod by pod.</summary>
internal sealed class NodeRoom
{
    private readonly Dictionary<ObjectKey, PodRequest> _pods = [];
    private JsonObject _node;
    private long _cpuUsed;
    private long _memoryUsed;

    public NodeRoom(JsonObject node)
    {
        _node = node;
        Measure();
    }

    public JsonObject Node
    {
        get => _node;
        set
        {
            _node = value;
            Measure();
        }
    }

    public IEnumerable<ObjectKey> Pods => _pods.Keys;

    private long Cpu { get; set; }

    private long Memory { get; set; }

    private long Places { get; set; }

    /// <summary>How free the node would be with this pod, 0 to 1: the scheduler spreads over the freest.</summary>
    public double FreeWith(PodRequest request)
    {
        var cpu = Cpu == 0 ? 0 : (double)(Cpu - _cpuUsed - request.Cpu) / Cpu;
        var memory = Memory == 0 ? 0 : (double)(Memory - _memoryUsed - request.Memory) / Memory;
        var places = Places == 0 ? 0 : (double)(Places - _pods.Count - 1) / Places;
        return (cpu + memory + places) / 3;
    }

    public void Take(ObjectKey pod, PodRequest request)
    {
        if (!_pods.TryAdd(pod, request)) return;
        _cpuUsed += request.Cpu;
        _memoryUsed += request.Memory;
    }

    public bool Release(ObjectKey pod)
    {
        if (!_pods.Remove(pod, out var request)) return false;
        _cpuUsed -= request.Cpu;
        _memoryUsed -= request.Memory;
        return true;
    }

    private void Measure()
    {
        Cpu = Quantity.Thousandths(_node.Text("status", "allocatable", "cpu"));
        Memory = Quantity.Units(_node.Text("status", "allocatable", "memory"));
        Places = Quantity.Units(_node.Text("status", "allocatable", "pods"));
    }

    /// <summary>Why the pod does not fit by its requests, in the scheduler's words; empty when it does.</summary>
    public IEnumerable<string> Shortages(PodRequest request)
    {
        if (_pods.Count + 1 > Places) yield return "Too many pods";
        if (request.Cpu > 0 && _cpuUsed + request.Cpu > Cpu) yield return "Insufficient cpu";
        if (request.Memory > 0 && _memoryUsed + request.Memory > Memory) yield return "Insufficient memory";
    }
}
