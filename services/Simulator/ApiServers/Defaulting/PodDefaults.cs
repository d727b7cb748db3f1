using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;

namespace Cloud.Simulator.ApiServers.Defaulting;

/// <summary>What a pod says when its author left it out, in a pod and in the templates of workloads.</summary>
public static class PodDefaults
{
    private const int FileMode = 420;
    private const int NotReadySeconds = 300;
    private static readonly string[] GuaranteedResources = ["cpu", "memory"];

    /// <summary>Fills in the spec of a pod or template, in place.</summary>
    public static void Apply(JsonObject spec)
    {
        spec.Default("restartPolicy", "Always");
        spec.Default("terminationGracePeriodSeconds", 30);
        spec.Default("dnsPolicy", "ClusterFirst");
        spec.Default("schedulerName", "default-scheduler");
        spec.Default("securityContext", new JsonObject());
        foreach (var list in new[] { "initContainers", "containers", "ephemeralContainers" })
        {
            foreach (var container in (spec.ListAt(list) ?? []).OfType<JsonObject>()) Container(container);
        }
        foreach (var volume in (spec.ListAt("volumes") ?? []).OfType<JsonObject>()) Volume(volume);
    }

    /// <summary>What admission adds to a pod itself, not to a template.</summary>
    public static void Admit(JsonObject spec)
    {
        spec.Default("enableServiceLinks", true);
        spec.Default("priority", 0);
        spec.Default("preemptionPolicy", "PreemptLowerPriority");
        var tolerations = spec["tolerations"] as JsonArray ?? [];
        spec["tolerations"] = tolerations;
        foreach (var taint in new[] { "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable" })
        {
            if (tolerations.Any(t => Tolerates(t, taint))) continue;
            tolerations.Add(new JsonObject
            {
                ["key"] = taint, ["operator"] = "Exists", ["effect"] = "NoExecute",
                    ["tolerationSeconds"] = NotReadySeconds,
            });
        }
    }

    private static bool Tolerates(JsonNode? toleration, string taint) =>
        toleration.Text("key") == taint || (toleration.At("key") is null && toleration.Text("operator") == "Exists");

    /// <summary>Guaranteed, Burstable or BestEffort.</summary>
    public static string QualityOfService(JsonObject spec)
    {
        var containers = (spec.ListAt("containers") ?? []).Concat(spec.ListAt("initContainers") ?? []).ToList();
        var requests = containers.Select(c => c.ObjectAt("resources", "requests")).ToList();
        var limits = containers.Select(c => c.ObjectAt("resources", "limits")).ToList();
        if (requests.Concat(limits).All(r => r is null or { Count: 0 })) return "BestEffort";
        var guaranteed = requests.Zip(limits).All(p => GuaranteedResources.All(r =>
            p.Second.At(r) is { } limit && JsonAccess.Same(p.First.At(r) ?? limit, limit)));
        return guaranteed ? "Guaranteed" : "Burstable";
    }

    private static void Container(JsonObject container)
    {
        container.Default("resources", new JsonObject());
        container.Default("terminationMessagePath", "/dev/termination-log");
        container.Default("terminationMessagePolicy", "File");
        container.Default("imagePullPolicy", PullPolicy(container.Text("image") ?? ""));
        foreach (var port in (container.ListAt("ports") ?? []).OfType<JsonObject>()) port.Default("protocol", "TCP");
        foreach (var probe in new[] { "livenessProbe", "readinessProbe", "startupProbe" })
        {
            if (container[probe] is JsonObject declared) Probe(declared);
        }
        foreach (var variable in container.ListAt("env") ?? [])
        {
            variable.ObjectAt("valueFrom", "fieldRef")?.Default("apiVersion", "v1");
        }
        if (container.ObjectAt("resources", "limits") is not { } limits) return;
        var requests = container.Ensure("resources").Ensure("requests");
        foreach (var (name, limit) in limits) requests.Default(name, limit?.DeepClone());
    }

    // A tag other than latest names one image for good, so that a node which has it need not ask again.
    private static string PullPolicy(string image)
    {
        if (image.Contains('@', StringComparison.Ordinal)) return "IfNotPresent";
        var name = image[(image.LastIndexOf('/') + 1)..];
        var colon = name.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 || name[(colon + 1)..] == "latest" ? "Always" : "IfNotPresent";
    }

    private static void Probe(JsonObject probe)
    {
        probe.Default("timeoutSeconds", 1);
        probe.Default("periodSeconds", 10);
        probe.Default("successThreshold", 1);
        probe.Default("failureThreshold", 3);
        if (probe["httpGet"] is JsonObject http)
        {
            http.Default("path", "/");
            http.Default("scheme", "HTTP");
        }
        if (probe["grpc"] is JsonObject grpc) grpc.Default("service", "");
    }

    private static void Volume(JsonObject volume)
    {
        if (volume.Count <= 1) volume.Default("emptyDir", new JsonObject());
        foreach (var source in new[] { "secret", "configMap", "projected", "downwardAPI" })
        {
            if (volume[source] is JsonObject files) files.Default("defaultMode", FileMode);
        }
        if (volume["hostPath"] is JsonObject host) host.Default("type", "");
    }
}
