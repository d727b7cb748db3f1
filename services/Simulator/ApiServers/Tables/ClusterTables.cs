using System.Globalization;
using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;

namespace Cloud.Simulator.ApiServers.Tables;

/// <summary>Columns of nodes, namespaces, accounts, events and the like.</summary>
internal static class ClusterTables
{
    private const string RoleLabel = "node-role.kubernetes.io/";

    public static Dictionary<string, IEnumerable<TableColumn>> All { get; } = new()
    {
        ["namespaces"] = [Columns.Name, Columns.At("Status", "", "status", "phase"), Columns.Age],
        ["nodes"] =
        [
            Columns.Name,
            Columns.Text("Status", NodeStatus),
            Columns.Text("Roles", NodeRoles),
            Columns.Age,
            Columns.At("Version", "", "status", "nodeInfo", "kubeletVersion"),
            Columns.Text("Internal-IP", n => Address(n, "InternalIP"), 1),
            Columns.Text("External-IP", n => Address(n, "ExternalIP"), 1),
            Columns.At("OS-Image", "<unknown>", "status", "nodeInfo", "osImage") with { Priority = 1 },
            Columns.At("Kernel-Version", "<unknown>", "status", "nodeInfo", "kernelVersion") with { Priority = 1 },
            Columns.At("Container-Runtime", "<unknown>", "status", "nodeInfo",
                "containerRuntimeVersion") with { Priority = 1 },
        ],
        ["secrets"] =
        [
            Columns.Name, Columns.At("Type", "", "type"), Columns.Number("Data", s => s.ObjectAt("data")?.Count),
                Columns.Age,
        ],
        ["configmaps"] =
        [
            Columns.Name,
            Columns.Number("Data", c => (c.ObjectAt("data")?.Count ?? 0) + (c.ObjectAt("binaryData")?.Count ?? 0)),
            Columns.Age,
        ],
        ["serviceaccounts"] = [Columns.Name, Columns.Number("Secrets", s => s.ListAt("secrets")?.Count), Columns.Age],
        ["leases.coordination.k8s.io"] =
            [Columns.Name, Columns.At("Holder", "", "spec", "holderIdentity"), Columns.Age],
        ["rolebindings.rbac.authorization.k8s.io"] = [.. Bindings()],
        ["clusterrolebindings.rbac.authorization.k8s.io"] = [.. Bindings()],
        ["priorityclasses.scheduling.k8s.io"] =
        [
            Columns.Name,
            Columns.Number("Value", p => p.Number("value")),
            Columns.Text("Global-Default", p => p.Flag("globalDefault") ? "true" : "false"),
            Columns.Age,
            Columns.At("PreemptionPolicy", "", "preemptionPolicy"),
        ],
        ["resourcequotas"] =
        [
            Columns.Name,
            Columns.Text("Request", q => Quota(q, limits: false)),
            Columns.Text("Limit", q => Quota(q, limits: true)),
            Columns.Age,
        ],
        ["events"] = Events("involvedObject", "message", "lastTimestamp", "firstTimestamp", "count"),
        ["events.events.k8s.io"] =
            Events("regarding", "note", "deprecatedLastTimestamp", "deprecatedFirstTimestamp", "deprecatedCount"),
    };

    private static TableColumn[] Events(string about, string message, string last, string first, string count) =>
    [
        new("Last Seen", "string", (e, now) => Seen(e, now, last)),
        Columns.At("Type", "", "type"),
        Columns.At("Reason", "", "reason"),
        Columns.Text("Object", e => $"{e.Text(about, "kind")?.ToLowerInvariant()}/{e.Text(about, "name")}"),
        Columns.At("Subobject", "", about, "fieldPath") with { Priority = 1 },
        Columns.Text("Source", e => Source(e), 1),
        Columns.Text("Message", e => e.Text(message)?.Trim()),
        new TableColumn("First Seen", "string", (e, now) => Seen(e, now, first)) { Priority = 1 },
        Columns.Number("Count", e => e.Number("series", "count") ?? e.Number(count) ?? 1) with { Priority = 1 },
        Columns.Name with { Priority = 1 },
    ];

    private static IEnumerable<TableColumn> Bindings() =>
    [
        Columns.Name,
        Columns.Text("Role", b => $"{b.Text("roleRef", "kind")}/{b.Text("roleRef", "name")}"),
        Columns.Age,
        Columns.Text("Users", b => Subjects(b, "User"), 1),
        Columns.Text("Groups", b => Subjects(b, "Group"), 1),
        Columns.Text("ServiceAccounts", b => Subjects(b, "ServiceAccount"), 1),
    ];

    private static string Seen(JsonObject e, DateTimeOffset now, string field) =>
        Ages.Since(e.Text("series", "lastObservedTime") ?? e.Text(field) ?? e.Text("eventTime"), now);

    private static string Source(JsonObject e)
    {
        var component = e.Text("source", "component") ?? e.Text("deprecatedSource", "component")
            ?? e.Text("reportingComponent")
            ?? e.Text("reportingController");
        return Columns.Join(new[] { component, e.Text("source", "host") ?? e.Text("deprecatedSource", "host") }
            .Where(s => !string.IsNullOrEmpty(s)), ", ");
    }

    private static string Subjects(JsonObject binding, string kind) =>
        Columns.Join((binding.ListAt("subjects") ?? []).Where(s => s.Text("kind") == kind)
            .Select(s => s.Text("namespace") is { } ns ? $"{ns}/{s.Text("name")}" : s.Text("name")), ", ");

    private static string NodeStatus(JsonObject node)
    {
        var ready = (node.ListAt("status", "conditions") ?? [])
            .FirstOrDefault(c => c.Text("type") == "Ready").Text("status");
        var status = ready switch
        {
            "True" => "Ready",
            null => "Unknown",
            _ => "NotReady",
        };
        return node.Flag("spec", "unschedulable") ? status + ",SchedulingDisabled" : status;
    }

    private static string NodeRoles(JsonObject node)
    {
        var roles = (node.ObjectAt("metadata", "labels") ?? [])
            .Where(l => l.Key.StartsWith(RoleLabel, StringComparison.Ordinal))
            .Select(l => l.Key[RoleLabel.Length..]).Order(StringComparer.Ordinal);
        return Columns.Join(roles) is { Length: > 0 } text ? text : Columns.None;
    }

    private static string Address(JsonObject node, string type) =>
        (node.ListAt("status", "addresses") ?? []).FirstOrDefault(a => a.Text("type") == type).Text("address")
            ?? Columns.None;

    private static string Quota(JsonObject quota, bool limits)
    {
        var hard = (quota.ObjectAt("status", "hard") ?? quota.ObjectAt("spec", "hard") ?? [])
            .Where(h => h.Key.StartsWith("limits", StringComparison.Ordinal) == limits);
        return Columns.Join(hard.Select(h =>
            string.Create(CultureInfo.InvariantCulture,
                $"{h.Key}: {quota.Text("status", "used", h.Key) ?? "0"}/{h.Value}")), ", ");
    }
}
