using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>The names of the states a resource goes through.</summary>
public static class KnownResourceStates
{
    public static readonly string NotStarted = nameof(NotStarted);
    public static readonly string Waiting = nameof(Waiting);
    public static readonly string Starting = nameof(Starting);
    public static readonly string Running = nameof(Running);
    public static readonly string Stopping = nameof(Stopping);
    public static readonly string FailedToStart = nameof(FailedToStart);
    public static readonly string Finished = nameof(Finished);

    /// <summary>States a resource does not leave by itself.</summary>
    public static readonly IReadOnlyList<string> TerminalStates = [FailedToStart, Finished];
}

/// <summary>A state's name.</summary>
public sealed record ResourceStateSnapshot(string Text)
{
    public static implicit operator ResourceStateSnapshot(string text) => new(text);
}

/// <summary>A named fact about a running resource, e.g. <c>executable.pid</c>.</summary>
public sealed record ResourcePropertySnapshot(string Name, object? Value);

/// <summary>Where one endpoint of a replica is.</summary>
/// <param name="Name">The endpoint's; followed by <c>target port</c> for the replica's own, behind the proxy.</param>
/// <param name="Url">Its address.</param>
/// <param name="IsInternal">Whether others are meant to use the proxy instead.</param>
public sealed record UrlSnapshot(string? Name, string Url, bool IsInternal);

/// <summary>How one replica of a resource is.</summary>
public sealed record CustomResourceSnapshot
{
    public ResourceStateSnapshot? State { get; init; }

    public HealthStatus? HealthStatus { get; init; }

    public int? ExitCode { get; init; }

    public IReadOnlyList<ResourcePropertySnapshot> Properties { get; init; } = [];

    public IReadOnlyList<UrlSnapshot> Urls { get; init; } = [];
}

/// <summary>A replica changed.</summary>
/// <param name="Resource">Which resource.</param>
/// <param name="ResourceId">Which replica: the name, followed by <c>-1</c>, <c>-2</c> where there are several.</param>
/// <param name="Snapshot">How it is now.</param>
public sealed record ResourceEvent(IResource Resource, string ResourceId, CustomResourceSnapshot Snapshot);
