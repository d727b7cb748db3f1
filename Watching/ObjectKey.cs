using k8s;
using k8s.Models;

namespace Cloud.Watching;

/// <summary>Names one object of a kind inside one cluster. The namespace is empty for cluster-scoped objects.</summary>
public readonly record struct ObjectKey(string Namespace, string Name)
{
    /// <summary>The key of an object that came from, or goes to, an API server.</summary>
    public static ObjectKey Of(IKubernetesObject<V1ObjectMeta> item) =>
        new(item.Metadata?.NamespaceProperty ?? "", item.Metadata?.Name ?? "");

    public override string ToString() => Namespace.Length == 0 ? Name : $"{Namespace}/{Name}";
}
