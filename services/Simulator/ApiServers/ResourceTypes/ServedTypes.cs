using System.Collections.Immutable;

namespace Cloud.Simulator.ApiServers.ResourceTypes;

/// <summary>
/// Every resource that one cluster serves: the built-in ones and those of its CustomResourceDefinitions.
/// </summary>
/// <remarks>Readers see one immutable table or the next; writers hold the store's gate.</remarks>
public sealed class ServedTypes
{
    private Table _table = Table.Of(BuiltInTypes.All, ImmutableDictionary<string, IReadOnlyList<ResourceType>>.Empty);

    /// <summary>All of them, built-in first.</summary>
    public IReadOnlyList<ResourceType> All => _table.All;

    /// <summary>The resource under /api/v1 or /apis/group/version; null when it is not served.</summary>
    public ResourceType? Find(string group, string version, string plural) =>
        _table.ByPath.GetValueOrDefault((group, version, plural));

    /// <summary>The preferred version of "plural" or "plural.group"; null when it is not served.</summary>
    public ResourceType? ByResource(string resource) => _table.ByResource.GetValueOrDefault(resource);

    /// <summary>Serves the versions of a definition; none withdraws it.</summary>
    public void Serve(string definition, IReadOnlyList<ResourceType> types)
    {
        var custom = types.Count == 0 ? _table.Custom.Remove(definition) : _table.Custom.SetItem(definition, types);
        _table = Table.Of(BuiltInTypes.All, custom);
    }

    private sealed record Table(
        IReadOnlyList<ResourceType> All,
        Dictionary<(string, string, string), ResourceType> ByPath,
        Dictionary<string, ResourceType> ByResource,
        ImmutableDictionary<string, IReadOnlyList<ResourceType>> Custom)
    {
        public static Table Of(
            IReadOnlyList<ResourceType> builtIn, ImmutableDictionary<string, IReadOnlyList<ResourceType>> custom)
        {
            List<ResourceType> all = [.. builtIn,
                .. custom.OrderBy(c => c.Key, StringComparer.Ordinal).SelectMany(c => c.Value)];
            var byPath = new Dictionary<(string, string, string), ResourceType>();
            var byResource = new Dictionary<string, ResourceType>(StringComparer.Ordinal);
            foreach (var type in all)
            {
                byPath.TryAdd((type.Group, type.Version, type.Plural), type);
                byResource.TryAdd(type.Resource, type);
            }
            return new Table(all, byPath, byResource, custom);
        }
    }
}
