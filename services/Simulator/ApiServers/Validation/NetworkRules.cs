using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.ResourceTypes;

namespace Cloud.Simulator.ApiServers.Validation;

/// <summary>What Services and Ingresses must be.</summary>
internal static class NetworkRules
{
    public static IEnumerable<FieldError> Service(JsonObject obj, JsonObject? before)
    {
        var type = obj.Text("spec", "type");
        foreach (var error in Rules.OneOf("spec.type", obj.At("spec", "type"), "ClusterIP", "ExternalName",
            "LoadBalancer", "NodePort"))
            yield return error;
        foreach (var error in Rules.OneOf("spec.sessionAffinity", obj.At("spec", "sessionAffinity"), "ClientIP",
            "None"))
            yield return error;
        if (type == "ExternalName" && string.IsNullOrEmpty(obj.Text("spec", "externalName")))
            yield return FieldError.Required("spec.externalName");
        foreach (var error in Ports(obj, type)) yield return error;
        if (before is null || type == "ExternalName" || before.Text("spec", "type") == "ExternalName") yield break;
        if (before.Text("spec", "clusterIP") is { Length: > 0 } had && obj.Text("spec", "clusterIP") != had)
        {
            yield return FieldError.Invalid("spec.clusterIPs[0]",
                new JsonArray(obj.At("spec", "clusterIP")?.DeepClone()),
                "may not change once set");
        }
    }

    private static IEnumerable<FieldError> Ports(JsonObject obj, string? type)
    {
        var ports = obj.ListAt("spec", "ports");
        if (ports is not { Count: > 0 })
        {
            if (type != "ExternalName"
                && obj.Text("spec", "clusterIP") != "None")
                yield return FieldError.Required("spec.ports");
            yield break;
        }
        var (names, numbers) = (new HashSet<string>(StringComparer.Ordinal),
            new HashSet<string>(StringComparer.Ordinal));
        foreach (var (at, port) in Rules.Each(obj.At("spec"), "ports", "spec"))
        {
            var name = port.Text("name") ?? "";
            if (name.Length == 0 && ports.Count > 1) yield return FieldError.Required($"{at}.name");
            if (name.Length > 0)
            {
                foreach (var error in Names.Check($"{at}.name", name, NameRule.Label)) yield return error;
                if (!names.Add(name)) yield return FieldError.Duplicate($"{at}.name", name);
            }
            foreach (var error in Rules.Port($"{at}.port", port.Number("port"))) yield return error;
            foreach (var error in Rules.OneOf($"{at}.protocol", port.At("protocol"), "SCTP", "TCP",
                "UDP"))
                yield return error;
            if (!numbers.Add($"{port.At("port")}/{port.Text("protocol")}"))
            {
                yield return FieldError.Duplicate(at, new JsonObject
                {
                    ["port"] = port.At("port")?.DeepClone(), ["protocol"] = port.At("protocol")?.DeepClone(),
                });
            }
        }
    }

    public static IEnumerable<FieldError> Ingress(JsonObject obj)
    {
        var spec = obj.ObjectAt("spec");
        if (spec.At("defaultBackend") is null && spec.ListAt("rules") is not { Count: > 0 })
            yield return FieldError.Invalid("spec", new JsonArray(),
                "either `defaultBackend` or `rules` must be specified");
        foreach (var (at, rule) in Rules.Each(spec, "rules", "spec"))
        {
            if (rule.Text("host") is { Length: > 0 } host)
            {
                var plain = host.StartsWith("*.", StringComparison.Ordinal) ? host[2..] : host;
                foreach (var error in Names.Check($"{at}.host", plain, NameRule.Subdomain)) yield return error;
            }
            if (rule.At("http") is not null && rule.ListAt("http", "paths") is not { Count: > 0 })
                yield return FieldError.Required($"{at}.http.paths");
            foreach (var (field, path) in Rules.Each(rule.At("http"), "paths", $"{at}.http"))
            {
                foreach (var error in Path(path, field)) yield return error;
            }
        }
    }

    private static IEnumerable<FieldError> Path(JsonNode path, string at)
    {
        if (path.At("pathType") is null)
            yield return FieldError.Required($"{at}.pathType", "pathType must be specified");
        else
        {
            foreach (var error in Rules.OneOf($"{at}.pathType", path.At("pathType"), "Exact", "ImplementationSpecific",
                "Prefix"))
                yield return error;
        }
        if (path.Text("pathType") is "Exact" or "Prefix" && path.Text("path")?.StartsWith('/') != true)
            yield return FieldError.Invalid($"{at}.path", path.Text("path") ?? "", "must be an absolute path");
        if (path.At("backend", "resource") is not null) yield break;
        if (path.ObjectAt("backend", "service") is not { } service)
        {
            yield return FieldError.Required($"{at}.backend", "service or resource backend is required");
            yield break;
        }
        if (string.IsNullOrEmpty(service.Text("name"))) yield return FieldError.Required($"{at}.backend.service.name");
        if (service.At("port", "number") is null && string.IsNullOrEmpty(service.Text("port", "name")))
            yield return FieldError.Required($"{at}.backend.service.port", "port name or number is required");
    }
}
