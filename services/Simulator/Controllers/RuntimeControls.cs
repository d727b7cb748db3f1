using System.Collections.Immutable;
using Cloud.Simulator.ApiServers;

namespace Cloud.Simulator.Controllers;

/// <summary>What can be changed about a cluster's nodes while they run. From any thread.</summary>
public sealed class RuntimeControls(ClusterSettings settings)
{
    private long _podStartDelayTicks = settings.PodStartDelay.Ticks;
    private ImmutableHashSet<string> _missingImages = [];

    /// <summary>
    /// How long a scheduled pod takes until its containers run; counts for pods scheduled from now on.
    /// </summary>
    public TimeSpan PodStartDelay
    {
        get => TimeSpan.FromTicks(Interlocked.Read(ref _podStartDelayTicks));
        set => Interlocked.Exchange(ref _podStartDelayTicks, value.Ticks);
    }

    /// <summary>
    /// Images that cannot be pulled, each by its full name or its repository. Counts for containers that start from
    /// now on; one that waits for an image is tried again in its turn.
    /// </summary>
    public IReadOnlyCollection<string> MissingImages
    {
        get => Volatile.Read(ref _missingImages);
        set => Volatile.Write(ref _missingImages, [.. value]);
    }

    internal event Action<string?, string>? CrashAsked;

    /// <summary>Makes the containers of every matching pod exit with an error.</summary>
    /// <param name="ns">Namespace; null is all.</param>
    /// <param name="labelSelector">Label selector as in a URL: <c>app=x,tier=y</c>; empty is all.</param>
    public void CrashPods(string? ns, string labelSelector) => CrashAsked?.Invoke(ns, labelSelector);
}
