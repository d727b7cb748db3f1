namespace Cloud.Installations;

/// <summary>One variable of the application's environment; exactly one of the three is there.</summary>
/// <param name="Value">The value itself.</param>
/// <param name="SecretKey">A key of a Secret in the installation's namespace.</param>
/// <param name="ConfigMapKey">A key of a ConfigMap in the installation's namespace.</param>
public sealed record EnvironmentVariable(string? Value, ObjectKey? SecretKey, ObjectKey? ConfigMapKey);

/// <summary>A key inside a named Kubernetes object.</summary>
/// <param name="Name">Name of the object.</param>
/// <param name="Key">Key inside it.</param>
public sealed record ObjectKey(string Name, string Key)
{
    /// <summary>The form in which the cluster service takes it.</summary>
    public override string ToString() => $"{Name}/{Key}";
}
