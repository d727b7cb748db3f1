using System.Text.Json.Nodes;

namespace Cloud.Simulator.Controllers;

/// <summary>Gives load balancers and Ingresses the address under which this machine answers for them.</summary>
internal sealed class ServiceController(ControllerScope scope) : IController
{
    private const string Address = "127.0.0.1";

    public Lane Lane => Lane.Summaries;

    public void Observe(Change change)
    {
        if (change.New is not null && change.Key.Resource is Resources.Services or Resources.Ingresses)
            scope.Loop.Enqueue(this, change.Key);
    }

    public void Reconcile(ObjectKey key)
    {
        if (scope.Objects.Get(key) is not { } obj || obj.IsDeleting()) return;
        if (key.Resource == Resources.Services && obj.Text("spec", "type") != "LoadBalancer") return;
        var entry = new JsonObject { ["ip"] = Address };
        if (key.Resource == Resources.Services) entry["ipMode"] = "VIP";
        var status = obj["status"]?.DeepClone() as JsonObject ?? [];
        status["loadBalancer"] = new JsonObject { ["ingress"] = new JsonArray(entry) };
        scope.Objects.UpdateStatus(key.Resource, obj, status);
    }
}
