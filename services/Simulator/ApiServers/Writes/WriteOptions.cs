using Cloud.Simulator.ApiServers.Validation;

namespace Cloud.Simulator.ApiServers.Writes;

/// <summary>How a caller wants something written.</summary>
/// <param name="Manager">Who will own the fields.</param>
public sealed record WriteOptions(string Manager)
{
    /// <summary>Answer what would happen and keep nothing.</summary>
    public bool DryRun { get; init; }

    /// <summary>What to do about unknown fields.</summary>
    public FieldHandling Fields { get; init; }

    /// <summary>"status", "scale", "finalize"...; empty for the object itself.</summary>
    public string Subresource { get; init; } = "";

    /// <summary>
    /// A controller of the cluster: may bind pods and set what users may not, and need not name a revision.
    /// </summary>
    public bool IsController { get; init; }

    /// <summary>What the caller should be told although the request went through.</summary>
    public List<string> Warnings { get; } = [];
}

/// <summary>How a caller wants something deleted.</summary>
public sealed record DeleteOptions
{
    /// <summary>Background, Foreground, Orphan, or null for what is usual for the kind.</summary>
    public string? Propagation { get; init; }

    public long? GracePeriodSeconds { get; init; }

    /// <summary>Only if this is its uid.</summary>
    public string? Uid { get; init; }

    /// <summary>Only if this is its resourceVersion.</summary>
    public string? ResourceVersion { get; init; }

    public bool DryRun { get; init; }

    /// <summary>What the caller should be told although the request went through.</summary>
    public List<string> Warnings { get; } = [];
}
