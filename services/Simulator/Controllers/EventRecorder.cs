using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers;

namespace Cloud.Simulator.Controllers;

/// <summary>
/// Writes Events about objects, counts repetitions instead of writing them again, and clears them away after an hour.
/// </summary>
/// <remarks>
/// An event that cannot be written (its namespace is going) is dropped: telling must never stop the doing.
/// </remarks>
internal sealed class EventRecorder(ControllerLoop loop, ClusterObjects objects, RandomNames names, ILogger logger)
    : IController
{
    private static readonly TimeSpan Kept = TimeSpan.FromHours(1);
    private static readonly TimeSpan SweepEvery = TimeSpan.FromMinutes(10);
    private static readonly ObjectKey Sweep = new(Resources.Events, null, "");

    private readonly Dictionary<(string Uid, string Reason, string Message), ObjectKey> _known = [];

    public Lane Lane => Lane.Summaries;

    public void Normal(JsonObject about, string component, string reason, string message, string? part = null) =>
        Record(about, "Normal", component, reason, message, part);

    public void Warning(JsonObject about, string component, string reason, string message, string? part = null) =>
        Record(about, "Warning", component, reason, message, part);

    public void Observe(Change change)
    {
        if (change.Key.Resource != Resources.Events) return;
        var told = change.New ?? change.Old!;
        var same = (told.Text("involvedObject", "uid") ?? "", told.Text("reason") ?? "", told.Text("message") ?? "");
        if (change.New is null) _known.Remove(same);
        else _known[same] = change.Key;
        if (change.Old is null) loop.EnqueueAfter(this, Sweep, SweepEvery);
    }

    public void Reconcile(ObjectKey key)
    {
        var oldest = loop.Now - Kept;
        var left = false;
        foreach (var told in objects[Resources.Events].All.ToList())
        {
            var last = told.Time("lastTimestamp") ?? told.Time("eventTime") ?? told.CreatedAt();
            if (last > oldest) left = true;
            else objects.Delete(new(Resources.Events, told.Namespace(), told.Name()), told);
        }
        if (left) loop.EnqueueAfter(this, Sweep, SweepEvery);
    }

    private void Record(JsonObject about, string type, string component, string reason, string message, string? part)
    {
        try
        {
            var same = (about.Uid(), reason, message);
            if (_known.TryGetValue(same, out var key) && objects.Get(key) is { } told) Repeat(told);
            else objects.Create(Resources.Events, New(about, type, component, reason, message, part));
        }
        catch (ApiException problem)
        {
            logger.LogDebug(problem, "Dropping event {Reason} about {Name}", reason, about.Name());
        }
    }

    private void Repeat(JsonObject told)
    {
        var again = told.Copy();
        again["count"] = told.Int("count") + 1;
        again["lastTimestamp"] = JsonFields.Stamp(loop.Now);
        objects.Update(Resources.Events, again);
    }

    private JsonObject New(JsonObject about, string type, string component, string reason, string message, string? part)
    {
        var involved = new JsonObject
        {
            ["apiVersion"] = about.Text("apiVersion"),
            ["kind"] = about.Text("kind"),
            ["name"] = about.Name(),
            ["uid"] = about.Uid(),
            ["resourceVersion"] = about.Text("metadata", "resourceVersion"),
        };
        if (about.Namespace() is { } ns) involved["namespace"] = ns;
        if (part is not null) involved["fieldPath"] = part;
        var source = new JsonObject { ["component"] = component };
        if (component == "kubelet" && about.Text("spec", "nodeName") is { } node) source["host"] = node;
        return new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Event",
            ["metadata"] = new JsonObject
            {
                ["name"] = $"{about.Name()}.{names.Hex()}",
                ["namespace"] = about.Namespace() ?? "default",
            },
            ["involvedObject"] = involved,
            ["reason"] = reason,
            ["message"] = message,
            ["source"] = source,
            ["firstTimestamp"] = JsonFields.Stamp(loop.Now),
            ["lastTimestamp"] = JsonFields.Stamp(loop.Now),
            ["count"] = 1,
            ["type"] = type,
            ["reportingComponent"] = component,
            ["reportingInstance"] = source.Text("host") ?? "",
        };
    }
}
