namespace Cloud.Simulator.Controllers;

/// <summary>
/// Where an object lives: its resource ("pods", "deployments.apps"), namespace (null: cluster-scoped) and name.
/// </summary>
internal readonly record struct ObjectKey(string Resource, string? Namespace, string Name)
{
    public override string ToString() => Namespace is null ? $"{Resource}/{Name}" : $"{Resource}/{Namespace}/{Name}";
}
