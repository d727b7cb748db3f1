using System.Globalization;
using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.ResourceTypes;

namespace Cloud.Simulator.ApiServers.Defaulting;

/// <summary>Hands out cluster addresses and node ports to Services, and takes them back.</summary>
/// <remarks>Used under the store's gate.</remarks>
public sealed class ServiceAddresses
{
    private const int FirstNodePort = 30000;
    private const int LastNodePort = 32767;

    // 10.96.0.0/12, the usual service network; the first address is the API server's own.
    private const uint Network = 0x0A600000;
    private const uint Size = 1 << 20;

    private readonly HashSet<string> _addresses = new(StringComparer.Ordinal);
    private readonly HashSet<long> _ports = [];
    private uint _nextAddress = 2;
    private int _nextPort = FirstNodePort;

    /// <summary>Learns what a Service that is already there holds.</summary>
    public void Learn(JsonObject service)
    {
        if (service.Text("spec", "clusterIP") is { } address) _addresses.Add(address);
        foreach (var port in Ports(service.ObjectAt("spec")))
        {
            if (port.Number("nodePort") is { } number) _ports.Add(number);
        }
    }

    public void OnCreate(ResourceType type, JsonObject obj)
    {
        if (type.Resource == "services") Allocate(obj.Ensure("spec"));
        if (type.Resource == "services") Learn(obj);
    }

    /// <summary>Keeps what the Service holds where its author left it out, and hands out what it newly needs.</summary>
    public void OnUpdate(ResourceType type, JsonObject current, JsonObject next)
    {
        if (type.Resource != "services") return;
        var (was, spec) = (current.Ensure("spec"), next.Ensure("spec"));
        if (spec.Text("type") != "ExternalName" && was.Text("type") != "ExternalName")
        {
            spec.Default("clusterIP", was["clusterIP"]?.DeepClone());
            spec.Default("clusterIPs", was["clusterIPs"]?.DeepClone());
        }
        if (spec.Text("type") is "NodePort" or "LoadBalancer")
        {
            foreach (var port in Ports(spec))
            {
                var same = Ports(was).FirstOrDefault(p => JsonAccess.Same(p["port"], port["port"])
                    && p.Text("protocol") == port.Text("protocol"));
                port.Default("nodePort", same?["nodePort"]?.DeepClone());
            }
        }
        else if (was.Text("type") is "NodePort" or "LoadBalancer")
        {
            foreach (var port in Ports(spec)) port.Remove("nodePort");
        }
        Allocate(spec);
        Learn(next);
    }

    public void OnRemove(ResourceType type, JsonObject last)
    {
        if (type.Resource != "services") return;
        if (last.Text("spec", "clusterIP") is { } address) _addresses.Remove(address);
        foreach (var port in Ports(last.ObjectAt("spec")))
        {
            if (port.Number("nodePort") is { } number) _ports.Remove(number);
        }
    }

    private void Allocate(JsonObject spec)
    {
        if (spec.Text("type") != "ExternalName")
        {
            if (string.IsNullOrEmpty(spec.Text("clusterIP"))) spec["clusterIP"] = NextAddress();
            spec.Default("clusterIPs", new JsonArray(spec["clusterIP"]!.DeepClone()));
        }
        if (spec.Text("type") is not ("NodePort" or "LoadBalancer")) return;
        foreach (var port in Ports(spec))
        {
            if ((port.Number("nodePort") ?? 0) == 0) port["nodePort"] = NextPort();
        }
    }

    private string NextAddress()
    {
        for (uint tried = 0; tried < Size; tried++)
        {
            var address = Network + _nextAddress;
            _nextAddress = _nextAddress + 1 < Size - 1 ? _nextAddress + 1 : 2;
            var text = string.Create(CultureInfo.InvariantCulture,
                $"{address >> 24}.{(address >> 16) & 255}.{(address >> 8) & 255}.{address & 255}");
            if (!_addresses.Contains(text)) return text;
        }
        throw ApiErrors.Internal("failed to allocate a serviceIP: range is full");
    }

    private int NextPort()
    {
        for (var tried = FirstNodePort; tried <= LastNodePort; tried++)
        {
            var port = _nextPort;
            _nextPort = _nextPort == LastNodePort ? FirstNodePort : _nextPort + 1;
            if (_ports.Add(port)) return port;
        }
        throw ApiErrors.Internal("failed to allocate a nodePort: range is full");
    }

    private static IEnumerable<JsonObject> Ports(JsonObject? spec) => (spec.ListAt("ports") ?? []).OfType<JsonObject>();
}
