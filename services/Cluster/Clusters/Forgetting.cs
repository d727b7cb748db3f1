using Cloud.ClusterInstallations;
using Cloud.ServiceDefaults.Hosting;
using static Cloud.Clusters.ClusterState;

namespace Cloud.Clusters;

/// <summary>
/// Any state -> deleted, at once and by request: a cluster that will never answer again is forgotten, and everything in
/// it left behind. Installations that were being deleted there are told: with their cluster gone, they are done.
/// </summary>
public sealed class Forgetting(ClusterStore clusters, TimeProvider time)
{
    /// <summary>Installations that a refusal names: statuses travel in headers, which are small.</summary>
    private const int NamedMax = 20;

    /// <summary>Forgets a cluster; the caller holds the lock of placement.</summary>
    /// <returns>Null when there is no such cluster.</returns>
    public async Task<Cluster?> ForgetAsync(
        DatabaseTransaction transaction, string id, string etag, IReadOnlyList<Inhabitant> inside,
        CancellationToken ct)
    {
        var seen = await ClusterStore.ObservationsAsync(transaction, ct);
        var left = LeftBehind(inside);
        var row = await clusters.ChangeAsync(transaction, id, before =>
        {
            ResourceName.CheckEtag(before.Name, etag, ClusterMessages.EtagOf(before));
            if (before.State == Deleted) return before;
            if (seen.GetValueOrDefault(id, Observation.None).Reachable) throw Answers(before);
            if (inside.Any(one => !one.IsLeaving)) throw InUse(before, [.. inside.Where(one => !one.IsLeaving)]);
            return before with
            {
                State = Deleted, DeleteTime = time.GetUtcNow(), EncryptedKubeconfig = [],
                LeftBehind = before.FirstWriteTime is null ? [] : left,
            };
        }, "it was forgotten without an answer from it; what was ours in it is left behind", ct);
        foreach (var waiting in await ClusterInstallationStore.UnderWayAsync(transaction, id, ct))
            transaction.NudgeAfterCommit(new Nudge(ClusterInstallation.Noun, waiting));
        return row;
    }

    /// <summary>Why a cluster cannot be let go: who is in it.</summary>
    public static ProblemException InUse(Cluster row, IReadOnlyList<Inhabitant> inside)
    {
        var names = string.Join(", ", inside.Take(NamedMax)
            .Select(one => ClusterInstallationMessages.InstallationNameOf(one.InstallationId)));
        var more = inside.Count > NamedMax ? $" and {inside.Count - NamedMax} more" : "";
        return Problem.FailedPrecondition(
            ErrorReason.ClusterInUse, row.Name,
            $"{inside.Count} installations live in {row.DisplayName}; delete or move them first: {names}{more}.",
            new Dictionary<string, string> { ["installations"] = $"{inside.Count}", ["names"] = names });
    }

    private static ProblemException Answers(Cluster row) => Problem.FailedPrecondition(
        ErrorReason.ClusterAnswers, row.Name,
        $"{row.DisplayName} answers, so nothing of ours has to be left behind in it; delete it without force.");

    private static string[] LeftBehind(IReadOnlyList<Inhabitant> inside) =>
    [
        $"namespaces/{OperatorManifests.Name}",
        $"clusterroles/{OperatorManifests.Name}",
        $"clusterrolebindings/{OperatorManifests.Name}",
        $"customresourcedefinitions/{OperatorManifests.Definition.Metadata.Name}",
        .. inside.Select(one => $"namespaces/{one.InstallationId}"),
    ];
}
