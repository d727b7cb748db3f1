using System.Globalization;
using Cloud.Clusters;

namespace Cloud.Placement;

/// <summary>
/// Chooses a cluster: of those that may take the installation and stay within their threshold, the one whose CPU,
/// memory and pods would on average be least used. Pure; equal ones are told apart by id, so that the answer does not
/// depend on the order in which they were read.
/// </summary>
public static class Scoring
{
    private const int RefusalsInWordsMax = 5;

    public static Decision Choose(IEnumerable<Candidate> candidates, Room requirement, Affinity affinity)
    {
        var refusals = new List<Refusal>();
        (Candidate Cluster, Usage Usage)? best = null;
        foreach (var candidate in candidates.OrderBy(c => c.Id, StringComparer.Ordinal))
        {
            var usage = Usage.Of(candidate, requirement);
            if ((Closed(candidate) ?? Unsuitable(candidate, affinity) ?? Full(candidate, usage)) is { } refusal)
                refusals.Add(refusal);
            else if (best is null || usage.Mean < best.Value.Usage.Mean)
                best = (candidate, usage);
        }
        return best is { } b
            ? new Decision(b.Cluster, $"{b.Cluster.DisplayName} has the most room: {b.Usage} with it", refusals)
            : new Decision(null, Summarise(refusals), refusals);
    }

    /// <summary>Why a cluster cannot hold more for one that is in it already; null when it can. Up to all there is: the
    /// threshold is for those who come.</summary>
    public static string? Lacking(Candidate c, Room growth) => HasNodes(c)
        ? Over(Usage.Of(c, growth), limit: 100) is { Count: > 0 } over
            ? $"it would need {string.Join(", ", over)} of what its usable nodes offer"
            : null
        : "it has no usable node";

    private static Refusal? Closed(Candidate c)
    {
        if (!c.Provisioned || c.State is not (ClusterState.Stable or ClusterState.ProvisioningRequested
            or ClusterState.ProvisionInProgress or ClusterState.ProvisioningFailed))
            return Refuse(c, ErrorReason.ClusterNotReady, $"it is {StateNames<ClusterState>.Of(c.State)}");
        if (!c.AllowInstallations)
            return Refuse(c, ErrorReason.ClusterClosed, "an operator closed it to new installations");
        return c.Reachable ? null : Refuse(
            c, ErrorReason.ClusterUnreachable, $"it is not reachable: {c.UnreachableReason}");
    }

    private static Refusal? Unsuitable(Candidate c, Affinity affinity)
    {
        if (affinity == Affinity.Isolated && c.Installations > 0)
            return Refuse(
                c,
                ErrorReason.ClusterNotEmpty,
                $"an isolated installation needs an empty cluster; it has {c.Installations}");
        return affinity == Affinity.Multitenant && c.IsolatedInstallations > 0
            ? Refuse(c, ErrorReason.ClusterIsolated, "an isolated installation has it for itself")
            : null;
    }

    private static Refusal? Full(Candidate c, Usage usage)
    {
        if (!HasNodes(c)) return Refuse(c, ErrorReason.ClusterNodesUnusable, "it has no usable node");
        var over = Over(usage, c.ThresholdPercent);
        return over.Count == 0
            ? null
            : Refuse(c, ErrorReason.ClusterOverThreshold,
                $"with it, {string.Join(", ", over)} would pass its threshold of {c.ThresholdPercent} %");
    }

    private static bool HasNodes(Candidate c) =>
        c.Allocatable is not ({ CpuMillis: 0 } or { MemoryBytes: 0 } or { Pods: 0 });

    private static List<string> Over(Usage usage, int limit)
    {
        var over = new List<string>();
        if (usage.Cpu > limit) over.Add(Percent("CPU", usage.Cpu));
        if (usage.Memory > limit) over.Add(Percent("memory", usage.Memory));
        if (usage.Pods > limit) over.Add(Percent("pods", usage.Pods));
        return over;
    }

    private static Refusal Refuse(Candidate c, ErrorReason reason, string why) => new(c.Id, c.DisplayName, reason, why);

    private static string Summarise(List<Refusal> refusals)
    {
        if (refusals.Count == 0) return "there is no cluster; import one";
        var told = string.Join("; ", refusals.Take(RefusalsInWordsMax).Select(r => $"{r.DisplayName}: {r.Why}"));
        return refusals.Count <= RefusalsInWordsMax
            ? told
            : $"{told}; and {refusals.Count - RefusalsInWordsMax} more clusters";
    }

    private static string Percent(string what, double percent) =>
        string.Create(CultureInfo.InvariantCulture, $"{what} {percent:0.#} %");

    /// <summary>Percentages of the allocatable that would be requested with the installation.</summary>
    private readonly record struct Usage(double Cpu, double Memory, double Pods)
    {
        public double Mean => (Cpu + Memory + Pods) / 3;

        public static Usage Of(Candidate c, Room requirement)
        {
            var then = c.Requested + requirement;
            return new Usage(
                Percentage(then.CpuMillis, c.Allocatable.CpuMillis),
                Percentage(then.MemoryBytes, c.Allocatable.MemoryBytes),
                Percentage(then.Pods, c.Allocatable.Pods));
        }

        public override string ToString() =>
            $"{Percent("CPU", Cpu)}, {Percent("memory", Memory)}, {Percent("pods", Pods)}";

        private static double Percentage(long part, long whole) => whole == 0 ? 100 : part * 100.0 / whole;
    }
}
