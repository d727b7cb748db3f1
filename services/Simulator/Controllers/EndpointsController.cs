using System.Text.Json.Nodes;

namespace Cloud.Simulator.Controllers;

/// <summary>Keeps the Endpoints and the EndpointSlice of each Service with a selector in step with its pods.</summary>
internal sealed class EndpointsController(ControllerScope scope) : IController
{
    private const string ServiceLabel = "kubernetes.io/service-name";
    private const string ManagedBy = "endpointslice.kubernetes.io/managed-by";

    public Lane Lane => Lane.Summaries;

    public void Observe(Change change)
    {
        if (change.Key.Resource == Resources.Services)
        {
            scope.Loop.Enqueue(this, change.Key);
            return;
        }
        if (change.Key.Resource == Resources.Pods) EnqueueServicesOf(change);
        if (change.New is not null) return;
        if (change.Key.Resource == Resources.Endpoints) EnqueueService(change.Key.Namespace, change.Key.Name);
        if (change.Key.Resource == Resources.EndpointSlices && change.Old!.Labels().Text(ServiceLabel) is { } service)
            EnqueueService(change.Key.Namespace, service);
    }

    public void Reconcile(ObjectKey key)
    {
        if (scope.Objects.Get(key) is not { } service)
        {
            // The slice is owned by the Service and goes with it; Endpoints have no owner, only the same name.
            var left = new ObjectKey(Resources.Endpoints, key.Namespace, key.Name);
            if (scope.Objects.Get(left) is { } endpoints) scope.Objects.Delete(left, endpoints);
            return;
        }
        if (service.IsDeleting() || service.At("spec", "selector") is not JsonObject { Count: > 0 } selector) return;
        var pods = scope.Objects[Resources.Pods].In(key.Namespace)
            .Where(p => p.Text("status", "podIP") is not null && !Pods.IsFinished(p)
                && LabelSelectors.MatchesMap(selector, p.Labels()))
            .OrderBy(p => p.Name(), StringComparer.Ordinal).ToList();
        WriteEndpoints(key, service, pods);
        WriteSlice(key, service, pods);
    }

    private void EnqueueServicesOf(Change change)
    {
        foreach (var service in scope.Objects[Resources.Services].In(change.Key.Namespace))
        {
            if (service.At("spec", "selector") is not JsonObject { Count: > 0 } selector) continue;
            var concerned = (change.Old is { } old && LabelSelectors.MatchesMap(selector, old.Labels()))
                || (change.New is { } now && LabelSelectors.MatchesMap(selector, now.Labels()));
            if (concerned) EnqueueService(service.Namespace(), service.Name());
        }
    }

    private void EnqueueService(string? ns, string name) => scope.Loop.Enqueue(this, new(Resources.Services, ns, name));

    private void WriteEndpoints(ObjectKey key, JsonObject service, List<JsonObject> pods)
    {
        var publishAll = service.Flag("spec", "publishNotReadyAddresses") == true;
        var ready = pods.Where(p => (publishAll || Pods.IsReady(p)) && !p.IsDeleting()).ToList();
        var notReady = pods.Except(ready).Where(p => !p.IsDeleting()).ToList();
        var subset = new JsonObject();
        if (ready.Count > 0) subset["addresses"] = Addresses(ready);
        if (notReady.Count > 0) subset["notReadyAddresses"] = Addresses(notReady);
        var subsets = new JsonArray();
        if (subset.Count > 0)
        {
            subset["ports"] = Ports(service, pods);
            subsets.Add(subset);
        }
        var endpoints = new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Endpoints",
            ["metadata"] = new JsonObject
            {
                ["name"] = key.Name,
                ["namespace"] = key.Namespace,
                ["labels"] = service.Labels()?.DeepClone() ?? new JsonObject(),
            },
            ["subsets"] = subsets,
        };
        var known = scope.Objects[Resources.Endpoints].Get(key.Namespace, key.Name);
        Write(Resources.Endpoints, known, endpoints, "subsets");
    }

    private void WriteSlice(ObjectKey key, JsonObject service, List<JsonObject> pods)
    {
        var known = scope.Objects.OwnedBy(service.Uid(), Resources.EndpointSlices)
            .FirstOrDefault(s => s.Labels().Text(ServiceLabel) == key.Name);
        var slice = new JsonObject
        {
            ["apiVersion"] = "discovery.k8s.io/v1",
            ["kind"] = "EndpointSlice",
            ["metadata"] = new JsonObject
            {
                ["name"] = known?.Name() ?? scope.Names.After(key.Name + "-"),
                ["namespace"] = key.Namespace,
                ["labels"] = new JsonObject
                {
                    [ServiceLabel] = key.Name,
                    [ManagedBy] = "endpointslice-controller.k8s.io",
                },
                ["ownerReferences"] = Owners.ControlledBy(service),
            },
            ["addressType"] = "IPv4",
            ["endpoints"] = JsonFields.ToArray(pods.Select(p => Endpoint(service, p))),
            ["ports"] = Ports(service, pods),
        };
        Write(Resources.EndpointSlices, known, slice, "endpoints", "ports");
    }

    private void Write(string resource, JsonObject? known, JsonObject wanted, params string[] parts)
    {
        if (known is null)
        {
            scope.Objects.Create(resource, wanted);
            return;
        }
        if (parts.All(p => JsonNode.DeepEquals(known[p] ?? new JsonArray(), wanted[p]))) return;
        var changed = known.Copy();
        foreach (var part in parts) changed[part] = wanted[part]!.DeepClone();
        scope.Objects.Update(resource, changed);
    }

    private static JsonArray Addresses(List<JsonObject> pods) => JsonFields.ToArray(pods.Select(p => new JsonObject
    {
        ["ip"] = p.Text("status", "podIP"),
        ["nodeName"] = p.Text("spec", "nodeName"),
        ["targetRef"] = Target(p),
    }));

    private static JsonObject Endpoint(JsonObject service, JsonObject pod)
    {
        var terminating = pod.IsDeleting();
        var ready = Pods.IsReady(pod);
        var publishAll = service.Flag("spec", "publishNotReadyAddresses") == true;
        return new JsonObject
        {
            ["addresses"] = new JsonArray(pod.Text("status", "podIP")),
            ["conditions"] = new JsonObject
            {
                ["ready"] = publishAll || (ready && !terminating),
                ["serving"] = publishAll || ready,
                ["terminating"] = terminating,
            },
            ["nodeName"] = pod.Text("spec", "nodeName"),
            ["targetRef"] = Target(pod),
        };
    }

    private static JsonObject Target(JsonObject pod) => new()
    {
        ["kind"] = "Pod",
        ["name"] = pod.Name(),
        ["namespace"] = pod.Namespace(),
        ["uid"] = pod.Uid(),
    };

    private static JsonArray Ports(JsonObject service, List<JsonObject> pods)
    {
        var ports = new JsonArray();
        foreach (var port in service.Items("spec", "ports"))
        {
            if (TargetPort(port, pods) is not { } number) continue;
            var result = new JsonObject { ["port"] = number, ["protocol"] = port.Text("protocol") ?? "TCP" };
            if (port.Text("name") is { } name) result["name"] = name;
            if (port.Text("appProtocol") is { } application) result["appProtocol"] = application;
            ports.Add(result);
        }
        return ports;
    }

    /// <summary>A target port may be a name, which the pods' containers explain.</summary>
    private static long? TargetPort(JsonObject port, List<JsonObject> pods)
    {
        if (port["targetPort"] is null) return port.Number("port");
        if (port.Number("targetPort") is { } number) return number == 0 ? port.Number("port") : number;
        var name = port.Text("targetPort");
        return pods.SelectMany(p => p.Items("spec", "containers")).SelectMany(c => c.Items("ports"))
            .FirstOrDefault(p => p.Text("name") == name).Number("containerPort");
    }
}
