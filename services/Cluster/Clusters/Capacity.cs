using Cloud.Placement;

namespace Cloud.Clusters;

/// <summary>
/// What a cluster has, and what is taken of it beyond the reservations that placement keeps. Reservations are added
/// when it is read, from the placements of that moment, so that a decision is seen by the next one at once and not
/// when its pods show up.
/// </summary>
/// <param name="Nodes">Usable nodes.</param>
/// <param name="Allocatable">What they offer.</param>
/// <param name="Unreserved">
/// What pods ask for outside of the namespaces with a reservation, plus what the pods inside ask for beyond it (the
/// extra pod of a rolling update). Pods that wait for a node count: they will land somewhere.
/// </param>
public sealed record Capacity(int Nodes, Room Allocatable, Room Unreserved)
{
    /// <summary>Nothing is known yet.</summary>
    public static readonly Capacity None = new(0, default, default);

    /// <summary>Sums up what the caches hold.</summary>
    /// <param name="pods">
    /// Read before <paramref name="reservations"/>: a reservation is older than its pods, so no pod can then be seen
    /// without its reservation and be counted twice.
    /// </param>
    /// <param name="reservations">By namespace.</param>
    public static Capacity Observe(
        IEnumerable<ObservedNode> nodes, IEnumerable<ObservedPod> pods, IReadOnlyDictionary<string, Room> reservations)
    {
        var usable = new HashSet<string>(StringComparer.Ordinal);
        var allocatable = default(Room);
        foreach (var node in nodes.Where(n => n.Usable))
        {
            usable.Add(node.Metadata.Name);
            allocatable += node.Allocatable;
        }

        var unreserved = default(Room);
        var inside = new Dictionary<string, Room>(StringComparer.Ordinal);
        foreach (var pod in pods)
        {
            if (!pod.HoldsRoom || (pod.NodeName.Length > 0 && !usable.Contains(pod.NodeName))) continue;
            var ns = pod.Metadata.NamespaceProperty;
            if (reservations.ContainsKey(ns)) inside[ns] = inside.GetValueOrDefault(ns) + pod.Requested;
            else unreserved += pod.Requested;
        }
        foreach (var (ns, taken) in inside) unreserved += reservations[ns].Excess(taken);
        return new Capacity(usable.Count, allocatable, unreserved);
    }

    /// <summary>Whether somebody who waits for room would want to know of the change from <paramref
    /// name="before"/>.</summary>
    public bool HasMoreRoomThan(Capacity before) =>
        Allocatable.CpuMillis - Unreserved.CpuMillis > before.Allocatable.CpuMillis - before.Unreserved.CpuMillis
        || Allocatable.MemoryBytes - Unreserved.MemoryBytes
            > before.Allocatable.MemoryBytes - before.Unreserved.MemoryBytes
        || Allocatable.Pods - Unreserved.Pods > before.Allocatable.Pods - before.Unreserved.Pods;
}
