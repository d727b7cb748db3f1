using System.Text.Json.Serialization;
using Cloud.Placement;
using Cloud.Watching;
using k8s;
using k8s.Models;

namespace Cloud.Clusters;

/// <summary>What capacity needs to know of a node; everything else is not even decoded.</summary>
public sealed class ObservedNode : IKubernetesObject<V1ObjectMeta>
{
    public static readonly ResourceKind<ObservedNode> Resource = new("", "v1", "nodes", "Node", false);

    [JsonPropertyName("apiVersion")]
    public string ApiVersion { get; set; } = "";

    [JsonPropertyName("kind")]
    public string Kind { get; set; } = "";

    [JsonPropertyName("metadata")]
    public V1ObjectMeta Metadata { get; set; } = new();

    [JsonPropertyName("spec")]
    public NodeSpec? Spec { get; set; }

    [JsonPropertyName("status")]
    public NodeStatus? Status { get; set; }

    /// <summary>Ready, not cordoned, and without a taint that keeps ordinary pods away.</summary>
    public bool Usable =>
        Spec?.Unschedulable != true
        && Spec?.Taints?.Any(t => t.Effect is "NoSchedule" or "NoExecute") != true
        && Status?.Conditions?.Any(c => c is { Type: "Ready", Status: "True" }) == true;

    /// <summary>What it offers to pods.</summary>
    public Room Allocatable => new(
        Quantities.Millis(Status?.Allocatable, "cpu"),
        Quantities.Whole(Status?.Allocatable, "memory"),
        (int)Quantities.Whole(Status?.Allocatable, "pods"));

    /// <summary>Drops what nobody reads.</summary>
    public static ObservedNode Trim(ObservedNode node)
    {
        node.Metadata = new V1ObjectMeta
        {
            Name = node.Metadata.Name, Uid = node.Metadata.Uid, ResourceVersion = node.Metadata.ResourceVersion,
        };
        return node;
    }

    public sealed class NodeSpec
    {
        [JsonPropertyName("unschedulable")]
        public bool? Unschedulable { get; set; }

        [JsonPropertyName("taints")]
        public List<NodeTaint>? Taints { get; set; }
    }

    public sealed class NodeTaint
    {
        [JsonPropertyName("effect")]
        public string Effect { get; set; } = "";
    }

    public sealed class NodeStatus
    {
        [JsonPropertyName("allocatable")]
        public Dictionary<string, ResourceQuantity>? Allocatable { get; set; }

        [JsonPropertyName("conditions")]
        public List<NodeCondition>? Conditions { get; set; }
    }

    public sealed class NodeCondition
    {
        [JsonPropertyName("type")]
        public string Type { get; set; } = "";

        [JsonPropertyName("status")]
        public string Status { get; set; } = "";
    }
}

/// <summary>Reads amounts out of Kubernetes' quantity maps.</summary>
internal static class Quantities
{
    public static long Millis(Dictionary<string, ResourceQuantity>? from, string name) => Read(from, name, 1000);

    public static long Whole(Dictionary<string, ResourceQuantity>? from, string name) => Read(from, name, 1);

    /// <summary>Rounded up, as the scheduler does.</summary>
    private static long Read(Dictionary<string, ResourceQuantity>? from, string name, int unit) =>
        from is not null && from.TryGetValue(name, out var quantity)
            ? (long)Math.Ceiling(quantity.ToDecimal() * unit)
            : 0;
}
