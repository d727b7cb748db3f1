using System.Globalization;
using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;

namespace Cloud.Simulator.ApiServers.Tables;

/// <summary>Columns of pods and of what runs them.</summary>
internal static class WorkloadTables
{
    private static readonly string[] JobConditions =
        ["Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet"];

    public static Dictionary<string, IEnumerable<TableColumn>> All { get; } = new()
    {
        ["pods"] =
        [
            Columns.Name,
            Columns.Text("Ready", PodCells.Ready),
            Columns.Text("Status", PodCells.Status),
            new TableColumn("Restarts", "string", static (pod, now) => PodCells.Restarts(pod, now)),
            Columns.Age,
            Columns.At("IP", Columns.None, "status", "podIP") with { Priority = 1 },
            Columns.At("Node", Columns.None, "spec", "nodeName") with { Priority = 1 },
            Columns.At("Nominated Node", Columns.None, "status", "nominatedNodeName") with { Priority = 1 },
            Columns.Text("Readiness Gates", _ => Columns.None, 1),
        ],
        ["deployments.apps"] =
        [
            Columns.Name,
            Columns.Text("Ready", d => Of(d.Number("status", "readyReplicas"), d.Number("spec", "replicas"))),
            Columns.Number("Up-to-date", d => d.Number("status", "updatedReplicas")),
            Columns.Number("Available", d => d.Number("status", "availableReplicas")),
            Columns.Age,
            .. Columns.PodTemplate("spec", "template"),
            Columns.Selector("spec", "selector"),
        ],
        ["replicasets.apps"] =
        [
            Columns.Name,
            Columns.Number("Desired", r => r.Number("spec", "replicas")),
            Columns.Number("Current", r => r.Number("status", "replicas")),
            Columns.Number("Ready", r => r.Number("status", "readyReplicas")),
            Columns.Age,
            .. Columns.PodTemplate("spec", "template"),
            Columns.Selector("spec", "selector"),
        ],
        ["statefulsets.apps"] =
        [
            Columns.Name,
            Columns.Text("Ready", s => Of(s.Number("status", "readyReplicas"), s.Number("spec", "replicas"))),
            Columns.Age,
            .. Columns.PodTemplate("spec", "template"),
        ],
        ["daemonsets.apps"] =
        [
            Columns.Name,
            Columns.Number("Desired", d => d.Number("status", "desiredNumberScheduled")),
            Columns.Number("Current", d => d.Number("status", "currentNumberScheduled")),
            Columns.Number("Ready", d => d.Number("status", "numberReady")),
            Columns.Number("Up-to-date", d => d.Number("status", "updatedNumberScheduled")),
            Columns.Number("Available", d => d.Number("status", "numberAvailable")),
            Columns.Text("Node Selector", d =>
                Columns.LabelsText(d.ObjectAt("spec", "template", "spec", "nodeSelector"))),
            Columns.Age,
            .. Columns.PodTemplate("spec", "template"),
            Columns.Selector("spec", "selector"),
        ],
        ["controllerrevisions.apps"] =
        [
            Columns.Name,
            Columns.Text("Controller", c => Controller(c)),
            Columns.Number("Revision", c => c.Number("revision")),
            Columns.Age,
        ],
        ["jobs.batch"] =
        [
            Columns.Name,
            Columns.Text("Status", JobStatus),
            Columns.Text("Completions", j => Of(j.Number("status", "succeeded"), j.Number("spec", "completions") ?? 1)),
            new TableColumn("Duration", "string", static (job, now) => JobDuration(job, now)),
            Columns.Age,
            .. Columns.PodTemplate("spec", "template"),
            Columns.Selector("spec", "selector"),
        ],
        ["cronjobs.batch"] =
        [
            Columns.Name,
            Columns.At("Schedule", "", "spec", "schedule"),
            Columns.At("Timezone", Columns.None, "spec", "timeZone"),
            Columns.Text("Suspend", c => c.Flag("spec", "suspend") ? "True" : "False"),
            Columns.Number("Active", c => c.ListAt("status", "active")?.Count),
            new TableColumn("Last Schedule", "string", static (job, now) =>
                job.Text("status", "lastScheduleTime") is { } last ? Ages.Since(last, now) : Columns.None),
            Columns.Age,
            .. Columns.PodTemplate("spec", "jobTemplate", "spec", "template"),
        ],
        ["horizontalpodautoscalers.autoscaling"] =
        [
            Columns.Name,
            Columns.Text("Reference", h =>
                $"{h.Text("spec", "scaleTargetRef", "kind")}/{h.Text("spec", "scaleTargetRef", "name")}"),
            Columns.Text("Targets", _ => "<unknown>"),
            Columns.Text("MinPods", h =>
                h.Number("spec", "minReplicas")?.ToString(CultureInfo.InvariantCulture) ?? "<unset>"),
            Columns.Number("MaxPods", h => h.Number("spec", "maxReplicas")),
            Columns.Number("Replicas", h => h.Number("status", "currentReplicas")),
            Columns.Age,
        ],
        ["poddisruptionbudgets.policy"] =
        [
            Columns.Name,
            Columns.At("Min Available", "N/A", "spec", "minAvailable"),
            Columns.At("Max Unavailable", "N/A", "spec", "maxUnavailable"),
            Columns.Number("Allowed Disruptions", p => p.Number("status", "disruptionsAllowed")),
            Columns.Age,
        ],
    };

    private static string Of(long? part, long? whole) =>
        string.Create(CultureInfo.InvariantCulture, $"{part ?? 0}/{whole ?? 0}");

    private static string Controller(JsonObject obj)
    {
        var owner = (obj.ListAt("metadata", "ownerReferences") ?? []).FirstOrDefault(o => o.Flag("controller"));
        if (owner is null) return Columns.None;
        var group = owner.Text("apiVersion")?.Split('/')[0];
        return $"{owner.Text("kind")?.ToLowerInvariant()}.{group}/{owner.Text("name")}";
    }

    private static string JobStatus(JsonObject job)
    {
        var holding = (job.ListAt("status", "conditions") ?? []).Where(c => c.Text("status") == "True")
            .Select(c => c.Text("type")).ToList();
        if (JobConditions.FirstOrDefault(holding.Contains) is { } said) return said;
        return job.IsBeingDeleted() ? "Terminating" : "Running";
    }

    private static string JobDuration(JsonObject job, DateTimeOffset now)
    {
        if (job.Text("status", "startTime") is not { } start) return "";
        var end = job.Text("status", "completionTime");
        if (end is not null && DateTimeOffset.TryParse(end, CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal, out var done)) now = done;
        return Ages.Since(start, now);
    }
}
