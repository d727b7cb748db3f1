using Cloud.Clusters;

namespace Cloud.Placement;

/// <summary>Whether an installation tolerates others in its cluster.</summary>
public enum Affinity
{
    /// <summary>Shares its cluster with others that share.</summary>
    Multitenant,

    /// <summary>Has its cluster for itself.</summary>
    Isolated,
}

/// <summary>A cluster as placement sees it, read under the placement lock.</summary>
/// <param name="Allocatable">What its usable nodes offer.</param>
/// <param name="Requested">What pods ask for, plus reservations that are not pods yet.</param>
/// <param name="Installations">Installations in it, reservations included.</param>
/// <param name="IsolatedInstallations">Those of them that want it for themselves.</param>
/// <param name="Provisioned">It has had our operator once, and is known to be no other cluster by now.</param>
public sealed record Candidate(
    string Id,
    string DisplayName,
    ClusterState State,
    bool Provisioned,
    bool AllowInstallations,
    bool Reachable,
    string UnreachableReason,
    int ThresholdPercent,
    Room Allocatable,
    Room Requested,
    int Installations,
    int IsolatedInstallations);

/// <summary>Why one cluster was not chosen.</summary>
/// <param name="Reason">For programs.</param>
/// <param name="Why">In words, with the numbers compared.</param>
public sealed record Refusal(string ClusterId, string DisplayName, ErrorReason Reason, string Why);

/// <summary>What placement came to: a cluster with the reason, or why each one was refused.</summary>
public sealed record Decision(Candidate? Chosen, string Reason, IReadOnlyList<Refusal> Refusals);
