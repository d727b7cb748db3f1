using Cloud.Clusters;
using Cloud.Placement;
using k8s;
using Xunit;

namespace Cloud.ClusterTests.Clusters;

public sealed class CapacityTests
{
    private static readonly IReadOnlyDictionary<string, Room> NoReservations = new Dictionary<string, Room>();

    [Fact]
    public void Only_usable_nodes_offer_room()
    {
        var capacity = Capacity.Observe(
            [
                Node("good"),
                Node("cordoned", spec: """{"unschedulable": true}"""),
                Node("tainted", spec: """{"taints": [{"key": "gpu", "effect": "NoSchedule"}]}"""),
                Node("preferred", spec: """{"taints": [{"key": "spot", "effect": "PreferNoSchedule"}]}"""),
                Node("sick", ready: "Unknown"),
            ],
            [], NoReservations);

        Assert.Equal(2, capacity.Nodes);
        Assert.Equal(new Room(8000, 64L * 1024 * 1024 * 1024, 220), capacity.Allocatable);
    }

    [Fact]
    public void Pods_count_unless_they_ended_or_sit_on_a_node_that_does_not_count()
    {
        var capacity = Capacity.Observe(
            [Node("good"), Node("cordoned", spec: """{"unschedulable": true}""")],
            [Pod("kube-system", "good"), Pod("kube-system", "cordoned"), Pod("kube-system", "good", phase: "Succeeded"),
                Pod("kube-system", node: "", phase: "Pending")],
            NoReservations);

        Assert.Equal(new Room(200, 2 * 1024 * 1024, 2), capacity.Unreserved);
    }

    [Fact]
    public void Pods_with_a_reservation_count_only_beyond_it()
    {
        var reservations = new Dictionary<string, Room> { ["workspace"] = new(150, 10 * 1024 * 1024, 2) };

        var one = Capacity.Observe([Node("good")], [Pod("workspace", "good")], reservations);
        var three = Capacity.Observe(
            [Node("good")], [Pod("workspace", "good"), Pod("workspace", "good"), Pod("workspace", "good")],
                reservations);

        Assert.Equal(default, one.Unreserved);
        Assert.Equal(new Room(150, 0, 1), three.Unreserved);
    }

    [Fact]
    public void A_pod_asks_for_the_larger_of_its_containers_and_its_start()
    {
        var pod = ObservedPod.Trim(KubernetesJson.Deserialize<ObservedPod>(
            """
            {"metadata": {"name": "p", "namespace": "n"}, "spec": {"nodeName": "good",
              "containers": [{"resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}, {}],
              "initContainers": [{"resources": {"requests": {"cpu": "1"}}},
                {"restartPolicy": "Always", "resources": {"requests": {"memory": "64Mi"}}}],
              "overhead": {"cpu": "10m"}}}
            """));

        Assert.Equal(new Room(1000, 128 * 1024 * 1024, 1), pod.Requested);
        Assert.Null(pod.Spec);
    }

    [Fact]
    public void More_room_in_any_dimension_is_worth_telling()
    {
        var before = new Capacity(1, new Room(100, 100, 10), new Room(50, 50, 5));

        Assert.True((before with { Unreserved = new Room(50, 50, 4) }).HasMoreRoomThan(before));
        Assert.True((before with { Allocatable = new Room(200, 100, 10) }).HasMoreRoomThan(before));
        Assert.False((before with { Unreserved = new Room(60, 50, 5) }).HasMoreRoomThan(before));
        Assert.False(before.HasMoreRoomThan(before));
    }

    private static ObservedNode Node(string name, string spec = "{}", string ready = "True") =>
        KubernetesJson.Deserialize<ObservedNode>(
            $$"""
            {"metadata": {"name": "{{name}}"}, "spec": {{spec}}, "status": {
              "allocatable": {"cpu": "4", "memory": "32Gi", "pods": "110"},
              "conditions": [{"type": "Ready", "status": "{{ready}}"}] } }
            """);

    private static ObservedPod Pod(string ns, string node, string phase = "Running") =>
        ObservedPod.Trim(KubernetesJson.Deserialize<ObservedPod>(
            $$"""
            {"metadata": {"name": "p", "namespace": "{{ns}}"}, "status": {"phase": "{{phase}}"}, "spec": {
              "nodeName": "{{node}}", "containers": [{"resources": {"requests": {"cpu": "100m",
                  "memory": "1Mi"} } }] } }
            """));
}
