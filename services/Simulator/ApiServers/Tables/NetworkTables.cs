using System.Globalization;
using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;

namespace Cloud.Simulator.ApiServers.Tables;

/// <summary>Columns of what connects pods.</summary>
internal static class NetworkTables
{
    private const int ShownEndpoints = 3;

    public static Dictionary<string, IEnumerable<TableColumn>> All { get; } = new()
    {
        ["services"] =
        [
            Columns.Name,
            Columns.At("Type", "", "spec", "type"),
            Columns.At("Cluster-IP", Columns.None, "spec", "clusterIP"),
            Columns.Text("External-IP", ExternalAddress),
            Columns.Text("Port(s)", s => Ports(s.ListAt("spec", "ports"))),
            Columns.Age,
            Columns.Text("Selector", s => Columns.LabelsText(s.ObjectAt("spec", "selector")), 1),
        ],
        ["endpoints"] = [Columns.Name, Columns.Text("Endpoints", Endpoints), Columns.Age],
        ["endpointslices.discovery.k8s.io"] =
        [
            Columns.Name,
            Columns.At("AddressType", "", "addressType"),
            Columns.Text("Ports", s =>
                OrUnset(Columns.Join((s.ListAt("ports") ?? []).Select(p => p.At("port")?.ToString())))),
            Columns.Text("Endpoints", s => OrUnset(Limited((s.ListAt("endpoints") ?? [])
                .SelectMany(e => e.ListAt("addresses") ?? []).Select(a => a?.ToString() ?? "")))),
            Columns.Age,
        ],
        ["ingresses.networking.k8s.io"] =
        [
            Columns.Name,
            Columns.At("Class", Columns.None, "spec", "ingressClassName"),
            Columns.Text("Hosts", Hosts),
            Columns.Text("Address", i => Columns.Join((i.ListAt("status", "loadBalancer", "ingress") ?? [])
                .Select(a => a.Text("ip") ?? a.Text("hostname")))),
            Columns.Text("Ports", i => i.ListAt("spec", "tls") is { Count: > 0 } ? "80, 443" : "80"),
            Columns.Age,
        ],
        ["ingressclasses.networking.k8s.io"] =
        [
            Columns.Name,
            Columns.At("Controller", "", "spec", "controller"),
            Columns.Text("Parameters", i =>
                i.ObjectAt("spec", "parameters") is { } p ? $"{p.Text("kind")}/{p.Text("name")}" : Columns.None),
            Columns.Age,
        ],
        ["networkpolicies.networking.k8s.io"] =
        [
            Columns.Name, Columns.Text("Pod-Selector", n => Columns.SelectorText(n.ObjectAt("spec", "podSelector"))),
                Columns.Age,
        ],
    };

    private static string ExternalAddress(JsonObject service)
    {
        var external = Columns.Join((service.ListAt("spec", "externalIPs") ?? []).Select(a => a?.ToString()));
        switch (service.Text("spec", "type"))
        {
            case "LoadBalancer":
                var given = Columns.Join((service.ListAt("status", "loadBalancer", "ingress") ?? [])
                    .Select(a => a.Text("ip") ?? a.Text("hostname")));
                var all = Columns.Join(new[] { given, external }.Where(a => a.Length > 0));
                return all.Length > 0 ? all : "<pending>";
            case "ExternalName":
                return service.Text("spec", "externalName") ?? "";
            default:
                return external.Length > 0 ? external : Columns.None;
        }
    }

    private static string Ports(JsonArray? ports) =>
        ports is not { Count: > 0 } ? Columns.None : Columns.Join(ports.Select(p =>
        p.Number("nodePort") is > 0 and { } node
            ? string.Create(CultureInfo.InvariantCulture, $"{p.Number("port")}:{node}/{p.Text("protocol")}")
            : string.Create(CultureInfo.InvariantCulture, $"{p.Number("port")}/{p.Text("protocol")}")));

    private static string Endpoints(JsonObject endpoints)
    {
        var all = (endpoints.ListAt("subsets") ?? []).SelectMany(s => (s.ListAt("addresses") ?? [])
            .SelectMany(a => (s.ListAt("ports") ?? []).Select(p => $"{a.Text("ip")}:{p.At("port")}")));
        return Limited(all) is { Length: > 0 } text ? text : Columns.None;
    }

    private static string Limited(IEnumerable<string> texts)
    {
        var all = texts.ToList();
        return all.Count <= ShownEndpoints
            ? Columns.Join(all)
            : string.Create(CultureInfo.InvariantCulture,
                $"{Columns.Join(all.Take(ShownEndpoints))} + {all.Count - ShownEndpoints} more...");
    }

    private static string OrUnset(string text) => text.Length > 0 ? text : "<unset>";

    private static string Hosts(JsonObject ingress)
    {
        var hosts = (ingress.ListAt("spec", "rules") ?? []).Select(r => r.Text("host"))
            .Where(h => !string.IsNullOrEmpty(h)).ToList();
        return hosts.Count == 0 ? "*" : Limited(hosts!);
    }
}
