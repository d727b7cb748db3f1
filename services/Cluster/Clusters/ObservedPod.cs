using System.Text.Json.Serialization;
using Cloud.Placement;
using Cloud.Watching;
using k8s;
using k8s.Models;

namespace Cloud.Clusters;

/// <summary>What capacity needs to know of a pod; everything else is not even decoded.</summary>
public sealed class ObservedPod : IKubernetesObject<V1ObjectMeta>
{
    public static readonly ResourceKind<ObservedPod> Resource = new("", "v1", "pods", "Pod");

    [JsonPropertyName("apiVersion")]
    public string ApiVersion { get; set; } = "";

    [JsonPropertyName("kind")]
    public string Kind { get; set; } = "";

    [JsonPropertyName("metadata")]
    public V1ObjectMeta Metadata { get; set; } = new();

    [JsonPropertyName("spec")]
    public PodSpec? Spec { get; set; }

    [JsonPropertyName("status")]
    public PodStatus? Status { get; set; }

    /// <summary>Whether it still holds the room that it asked for.</summary>
    [JsonIgnore]
    public bool HoldsRoom { get; private set; }

    /// <summary>Node it was put on; empty while it waits for one.</summary>
    [JsonIgnore]
    public string NodeName { get; private set; } = "";

    /// <summary>What the scheduler counts for it: its containers together, or its largest start-up step if
    /// larger.</summary>
    [JsonIgnore]
    public Room Requested { get; private set; }

    /// <summary>Reduces it to a few numbers, so that ten thousand pods stay a few megabytes.</summary>
    public static ObservedPod Trim(ObservedPod pod)
    {
        pod.HoldsRoom = pod.Status?.Phase is not ("Succeeded" or "Failed");
        pod.NodeName = string.Intern(pod.Spec?.NodeName ?? "");
        pod.Requested = RequestOf(pod.Spec);
        pod.Spec = null;
        pod.Status = null;
        pod.Metadata = new V1ObjectMeta
        {
            Name = pod.Metadata.Name, NamespaceProperty = pod.Metadata.NamespaceProperty, Uid = pod.Metadata.Uid,
            ResourceVersion = pod.Metadata.ResourceVersion,
        };
        return pod;
    }

    private static Room RequestOf(PodSpec? spec)
    {
        var together = new Room(0, 0, 1) + Amount(spec?.Overhead);
        var largest = default(Room);
        foreach (var container in spec?.Containers ?? []) together += Amount(container.Resources?.Requests);
        foreach (var container in spec?.InitContainers ?? [])
        {
            var amount = Amount(container.Resources?.Requests);
            // An init container that restarts always is a sidecar: it stays.
            if (container.RestartPolicy == "Always") together += amount;
            else largest = new Room(Math.Max(largest.CpuMillis, amount.CpuMillis),
                Math.Max(largest.MemoryBytes, amount.MemoryBytes), 0);
        }
        return new Room(Math.Max(together.CpuMillis, largest.CpuMillis),
            Math.Max(together.MemoryBytes, largest.MemoryBytes), 1);
    }

    private static Room Amount(Dictionary<string, ResourceQuantity>? requests) =>
        new(Quantities.Millis(requests, "cpu"), Quantities.Whole(requests, "memory"), 0);

    public sealed class PodSpec
    {
        [JsonPropertyName("nodeName")]
        public string? NodeName { get; set; }

        [JsonPropertyName("containers")]
        public List<PodContainer>? Containers { get; set; }

        [JsonPropertyName("initContainers")]
        public List<PodContainer>? InitContainers { get; set; }

        [JsonPropertyName("overhead")]
        public Dictionary<string, ResourceQuantity>? Overhead { get; set; }
    }

    public sealed class PodContainer
    {
        [JsonPropertyName("resources")]
        public ContainerResources? Resources { get; set; }

        [JsonPropertyName("restartPolicy")]
        public string? RestartPolicy { get; set; }
    }

    public sealed class ContainerResources
    {
        [JsonPropertyName("requests")]
        public Dictionary<string, ResourceQuantity>? Requests { get; set; }
    }

    public sealed class PodStatus
    {
        [JsonPropertyName("phase")]
        public string? Phase { get; set; }
    }
}
