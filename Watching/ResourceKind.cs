using k8s;
using k8s.Models;

namespace Cloud.Watching;

/// <summary>
/// Where a kind of object lives in a Kubernetes API, and the class it is read into. One value serves every cluster.
/// </summary>
/// <param name="Group">API group; empty for the core group.</param>
/// <param name="Version">API version, such as <c>v1</c>.</param>
/// <param name="Plural">Lower-case plural used in addresses, such as <c>deployments</c>.</param>
/// <param name="Kind">Kind as written in manifests, such as <c>Deployment</c>.</param>
/// <param name="Namespaced">False for cluster-scoped kinds; their keys have an empty namespace.</param>
public sealed record ResourceKind<T>(string Group, string Version, string Plural, string Kind, bool Namespaced = true)
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    /// <summary>The same kind, read into another class.</summary>
    public ResourceKind<TOther> As<TOther>()
        where TOther : class, IKubernetesObject<V1ObjectMeta> => new(Group, Version, Plural, Kind, Namespaced);

    /// <summary>The apiVersion field of manifests: <c>apps/v1</c>, or <c>v1</c> for the core group.</summary>
    public string ApiVersion => Group.Length == 0 ? Version : $"{Group}/{Version}";

    /// <summary>
    /// Address of the collection, relative to the server's base path; all namespaces when none is given.
    /// </summary>
    public string CollectionPath(string? ns)
    {
        var root = Group.Length == 0 ? $"api/{Version}" : $"apis/{Group}/{Version}";
        return Namespaced && !string.IsNullOrEmpty(ns)
            ? $"{root}/namespaces/{Uri.EscapeDataString(ns)}/{Plural}"
            : $"{root}/{Plural}";
    }

    /// <summary>Address of one object, relative to the server's base path.</summary>
    /// <exception cref="ArgumentException">The key lacks a name, or a namespace that the kind needs.</exception>
    public string ObjectPath(ObjectKey key, string? subresource = null)
    {
        if (key.Name.Length == 0 || (Namespaced && key.Namespace.Length == 0))
        {
            throw new ArgumentException($"'{key}' does not name one {Kind}.", nameof(key));
        }

        var path = $"{CollectionPath(key.Namespace)}/{Uri.EscapeDataString(key.Name)}";
        return subresource is null ? path : $"{path}/{subresource}";
    }

    public override string ToString() => Group.Length == 0 ? Plural : $"{Plural}.{Group}";
}
