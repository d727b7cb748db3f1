using Cloud.Simulator.ApiServers.Objects;

namespace Cloud.Simulator.ApiServers.Selectors;

/// <summary>Which objects of a kind a list, watch or collection deletion is about.</summary>
public sealed record Selection(string? Namespace, LabelSelector? Labels, FieldSelector? Fields)
{
    public bool Matches(StoredObject obj) =>
        (Namespace is null || obj.Namespace == Namespace)
        && (Labels is null || Labels.Matches(obj.Labels))
        && (Fields is null || Fields.Matches(obj));
}
