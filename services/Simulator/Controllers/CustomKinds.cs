using System.Text.Json.Nodes;

namespace Cloud.Simulator.Controllers;

/// <summary>
/// Follows the objects of every CustomResourceDefinition, so that they can own, be owned, and be cleaned up.
/// </summary>
internal sealed class CustomKinds(ControllerScope scope, ObjectFeed feed, GarbageCollector collector) : IController
{
    private readonly Dictionary<string, string> _followed = new(StringComparer.Ordinal);

    public Lane Lane => Lane.Pods;

    public void Observe(Change change)
    {
        if (change.Key.Resource == Resources.Definitions) scope.Loop.Enqueue(this, change.Key);
    }

    public void Reconcile(ObjectKey key)
    {
        if (scope.Objects.Get(key) is { } definition)
        {
            // Not served yet: the condition that says it is comes as another change.
            if (_followed.ContainsKey(key.Name) || !Conditions.IsTrue(definition["status"], "Established")) return;
            var kind = KindOf(definition);
            feed.Follow(kind);
            _followed[key.Name] = kind.Resource;
            collector.OnKindKnown();
        }
        else if (_followed.Remove(key.Name, out var resource)) feed.Forget(resource);
    }

    private static ResourceKind KindOf(JsonObject definition)
    {
        var group = definition.Text("spec", "group") ?? "";
        var plural = definition.Text("spec", "names", "plural") ?? "";
        var kind = definition.Text("spec", "names", "kind") ?? "";
        return new ResourceKind($"{plural}.{group}", group, kind, definition.Text("spec", "scope") == "Namespaced");
    }
}
