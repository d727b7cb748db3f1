using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers;

namespace Cloud.Simulator.Controllers;

/// <summary>
/// Furnishes each namespace with its default ServiceAccount and root certificate, and empties a terminating one:
/// everything in it is deleted, and when the last object is gone, so is the namespace.
/// </summary>
internal sealed class NamespaceController(ControllerScope scope) : IController
{
    private const string Finalizer = "kubernetes";
    private const string RootCertificate = "kube-root-ca.crt";

    public Lane Lane => Lane.Summaries;

    public void Observe(Change change)
    {
        if (change.Key.Resource == Resources.Namespaces)
        {
            if (change.New is not null) scope.Loop.Enqueue(this, change.Key);
            return;
        }
        if (change.Key.Namespace is not { } name) return;
        var lost = change.New is null
            && (change.Key is { Resource: Resources.ServiceAccounts, Name: "default" }
                or { Resource: Resources.ConfigMaps, Name: RootCertificate });
        if (lost || scope.Objects[Resources.Namespaces].Get(null, name) is { } ns && ns.IsDeleting())
            scope.Loop.Enqueue(this, new(Resources.Namespaces, null, name));
    }

    public void Reconcile(ObjectKey key)
    {
        if (scope.Objects.Get(key) is not { } ns) return;
        if (ns.IsDeleting()) Empty(key, ns);
        else Furnish(ns);
    }

    private void Furnish(JsonObject ns)
    {
        scope.Objects.Ensure(Resources.ServiceAccounts, new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "ServiceAccount",
            ["metadata"] = new JsonObject { ["name"] = "default", ["namespace"] = ns.Name() },
        });
        scope.Objects.Ensure(Resources.ConfigMaps, new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "ConfigMap",
            ["metadata"] = new JsonObject { ["name"] = RootCertificate, ["namespace"] = ns.Name() },
            ["data"] = new JsonObject { ["ca.crt"] = "" },
        });
        if (ns.Text("status", "phase") != "Active")
            scope.Objects.UpdateStatus(Resources.Namespaces, ns, new JsonObject { ["phase"] = "Active" });
    }

    private void Empty(ObjectKey key, JsonObject ns)
    {
        foreach (var cache in scope.Objects.Caches.Where(c => c.Kind.Namespaced).ToList())
        {
            foreach (var obj in cache.In(ns.Name()).ToList())
            {
                if (!obj.IsDeleting()) scope.Objects.Delete(new(cache.Kind.Resource, ns.Name(), obj.Name()), obj);
            }
        }
        var left = scope.Objects.Caches.Where(c => c.Kind.Namespaced && c.AnyIn(ns.Name())).ToList();
        if (left.Count > 0)
        {
            TellWhatIsLeft(key, ns, left);
            return;
        }
        if (!ns.Texts("spec", "finalizers").Contains(Finalizer)) return;
        var done = ns.Copy();
        done.Child("spec")["finalizers"] = JsonFields.ToArray(
            ns.Texts("spec", "finalizers").Where(f => f != Finalizer).Select(f => (JsonNode?)JsonValue.Create(f)));
        done.Child("metadata").Remove("resourceVersion");
        scope.Objects.Finalize(done);
    }

    private void TellWhatIsLeft(ObjectKey key, JsonObject ns, List<ObjectCache> left)
    {
        var finalizers = left.SelectMany(c => c.In(ns.Name()))
            .SelectMany(o => o.Texts("metadata", "finalizers")).GroupBy(f => f)
            .Select(g => $"{g.Key} in {g.Count()} resource instances").ToList();
        var status = ns["status"]?.DeepClone() as JsonObject ?? [];
        status["phase"] = "Terminating";
        Conditions.Set(status, "NamespaceContentRemaining", true, "SomeResourcesRemain",
            "Some resources are remaining: " + string.Join(", ",
                left.Select(c => $"{c.Kind.Resource} has {c.In(ns.Name()).Count()} resource instances")), scope.Now);
        if (finalizers.Count > 0)
            Conditions.Set(status, "NamespaceFinalizersRemaining", true, "SomeFinalizersRemain",
                "Some content in the namespace has finalizers remaining: " + string.Join(", ", finalizers), scope.Now);
        try
        {
            scope.Objects.UpdateStatus(Resources.Namespaces, ns, status);
        }
        catch (ApiException problem) when (problem.Code == 404)
        {
            scope.Objects.Refresh(key, ns);
        }
    }
}
