using System.Text.Json.Nodes;

namespace Cloud.Simulator.Controllers;

/// <summary>
/// Follows the objects of every CustomResourceDefinition, so that they can own, be owned, and be cleaned up.
/// </summary>
internal sealed class CustomKinds(ControllerScope scope, Action<ResourceKind> follow, Action<string> forget)
    : IController
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
            var kind = KindOf(definition);
            if (_followed.ContainsKey(key.Name)) return;
            follow(kind);
            _followed[key.Name] = kind.Resource;
        }
        else if (_followed.Remove(key.Name, out var resource)) forget(resource);
    }

    private static ResourceKind KindOf(JsonObject definition)
    {
        var group = definition.Text("spec", "group") ?? "";
        var plural = definition.Text("spec", "names", "plural") ?? "";
        var kind = definition.Text("spec", "names", "kind") ?? "";
        return new ResourceKind($"{plural}.{group}", group, kind, definition.Text("spec", "scope") == "Namespaced");
    }
}
