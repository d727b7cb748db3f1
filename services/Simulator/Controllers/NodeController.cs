using System.Globalization;
using System.Text.Json.Nodes;

namespace Cloud.Simulator.Controllers;

/// <summary>
/// Registers the cluster's nodes with their capacity. They do not beat: nothing in here can lose a node, and an idle
/// cluster must cost nothing. Pods on a node that someone deleted are deleted with it.
/// </summary>
internal sealed class NodeController(ControllerScope scope) : IController
{
    private const string TypeLabel = "node.kubernetes.io/instance-type";
    private const string Simulated = "simulated";
    private const string LeaseNamespace = "kube-node-lease";
    private const string MicroTime = "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'";

    private const int KubeletPort = 10250;

    public Lane Lane => Lane.Summaries;

    public void Start()
    {
        foreach (var ns in (string[])["default", "kube-system", "kube-public", LeaseNamespace])
        {
            scope.Objects.Ensure(Resources.Namespaces, new JsonObject
            {
                ["apiVersion"] = "v1",
                ["kind"] = "Namespace",
                ["metadata"] = new JsonObject { ["name"] = ns },
            });
        }
        for (var number = 1; number <= scope.Settings.Nodes; number++) Register(number);
        RetireOthers();
    }

    public void Observe(Change change)
    {
        if (change.Key.Resource == Resources.Nodes && change.New is null) scope.Loop.Enqueue(this, change.Key);
    }

    public void Reconcile(ObjectKey key)
    {
        if (scope.Objects.Get(key) is not null) return;
        foreach (var pod in scope.Objects[Resources.Pods].All.ToList())
        {
            if (pod.Text("spec", "nodeName") == key.Name)
                scope.Objects.Delete(new(Resources.Pods, pod.Namespace(), pod.Name()), pod, graceSeconds: 0);
        }
    }

    /// <summary>Nodes of ours that the settings no longer have: the cluster was made smaller.</summary>
    private void RetireOthers()
    {
        var wanted = Enumerable.Range(1, scope.Settings.Nodes).Select(NameOf).ToHashSet(StringComparer.Ordinal);
        foreach (var node in scope.Objects[Resources.Nodes].All.ToList())
        {
            if (node.Labels().Text(TypeLabel) == Simulated && !wanted.Contains(node.Name()))
                scope.Objects.Delete(new(Resources.Nodes, null, node.Name()), node);
        }
    }

    private string NameOf(int number) => $"{scope.Settings.Name}-node-{number}";

    private void Register(int number)
    {
        var name = NameOf(number);
        scope.Objects.Ensure(Resources.Nodes, new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Node",
            ["metadata"] = new JsonObject
            {
                ["name"] = name,
                ["labels"] = new JsonObject
                {
                    ["kubernetes.io/hostname"] = name,
                    ["kubernetes.io/os"] = "linux",
                    ["kubernetes.io/arch"] = "amd64",
                    [TypeLabel] = Simulated,
                },
            },
            ["spec"] = new JsonObject { ["podCIDR"] = $"10.244.{number}.0/24" },
        });
        WriteStatus(scope.Objects[Resources.Nodes].Get(null, name)!, number);
        scope.Objects.Ensure(Resources.Leases, new JsonObject
        {
            ["apiVersion"] = "coordination.k8s.io/v1",
            ["kind"] = "Lease",
            ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = LeaseNamespace },
            ["spec"] = new JsonObject
            {
                ["holderIdentity"] = name,
                ["leaseDurationSeconds"] = 40,
                ["renewTime"] = scope.Now.UtcDateTime.ToString(MicroTime, CultureInfo.InvariantCulture),
            },
        });
    }

    private void WriteStatus(JsonObject node, int number)
    {
        var status = node["status"]?.DeepClone() as JsonObject ?? [];
        var room = new JsonObject
        {
            ["cpu"] = scope.Settings.Cpu,
            ["ephemeral-storage"] = "100Gi",
            ["memory"] = scope.Settings.Memory,
            ["pods"] = scope.Settings.Pods.ToString(CultureInfo.InvariantCulture),
        };
        status["capacity"] = room;
        status["allocatable"] = room.DeepClone();
        status["addresses"] = new JsonArray(
            new JsonObject { ["type"] = "InternalIP", ["address"] = AddressOf(number) },
            new JsonObject { ["type"] = "Hostname", ["address"] = node.Name() });
        status["daemonEndpoints"] = new JsonObject { ["kubeletEndpoint"] = new JsonObject { ["Port"] = KubeletPort } };
        status["nodeInfo"] = new JsonObject
        {
            ["architecture"] = "amd64",
            ["operatingSystem"] = "linux",
            ["osImage"] = "Cloud Simulator",
            ["kernelVersion"] = "simulated",
            ["containerRuntimeVersion"] = "simulated://1.0",
            ["kubeletVersion"] = "v1.34.0",
            ["kubeProxyVersion"] = "v1.34.0",
            ["machineID"] = node.Uid(),
            ["systemUUID"] = node.Uid(),
            ["bootID"] = node.Uid(),
        };
        Conditions.Set(status, "MemoryPressure", false, "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available", scope.Now);
        Conditions.Set(status, "DiskPressure", false, "KubeletHasNoDiskPressure",
            "kubelet has no disk pressure", scope.Now);
        Conditions.Set(status, "PIDPressure", false, "KubeletHasSufficientPID",
            "kubelet has sufficient PID available", scope.Now);
        Conditions.Set(status, "Ready", true, "KubeletReady", "kubelet is posting ready status", scope.Now);
        scope.Objects.UpdateStatus(Resources.Nodes, node, status);
    }

    private static string AddressOf(int number) => $"10.0.{number / 250}.{number % 250 + 1}";
}
