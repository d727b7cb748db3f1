using Cloud.Providers;
using static Cloud.Installations.InstallationState;
using static Cloud.ServiceDefaults.Supervision.Outcome;

namespace Cloud.Installations;

/// <summary>
/// creation-requested (-> creation-no-compatible-clusters) -> creation-pre-provisioning -> creation-in-progress ->
/// creation-configuring-dns -> creation-final-tasks -> stable. Everything is asked for by the installation's name and
/// epoch, so a step that was cut is simply run again.
/// </summary>
public sealed class Creation(
    Placements placements, LogicalDatabases databases, ClusterInstallations clusterInstallations)
{
    /// <summary>A row that was never changed: nothing has been asked of anybody for it, because the row moves on
    /// before anything is made.</summary>
    private const long FirstVersion = 1;

    /// <summary>creation-requested, creation-no-compatible-clusters: room in a cluster is found and kept.</summary>
    public async Task<InstallationOutcome> PlaceAsync(Installation row, CancellationToken ct)
    {
        var isRetry = row.State == CreationRequested && row.Version > FirstVersion;
        if (isRetry && await ClearFailedTryAsync(row, ct) is { } busy)
        {
            return Wait($"what an earlier try left is being removed: {busy}", Waiting.ForAnotherService);
        }

        var room = await placements.PlaceAsync(row, ct);
        if (room.Given is { } placement)
        {
            var placed = row with { Cluster = placement.Cluster, ClusterInstallation = null, LogicalDatabase = null };
            return Go(CreationPreProvisioning, placement.Reason, placed);
        }

        return row.State == CreationRequested
            ? Go(CreationNoCompatibleClusters, room.WhyNot)
            : Wait(room.WhyNot, Waiting.ForRoom);
    }

    /// <summary>creation-pre-provisioning: the logical database.</summary>
    public async Task<InstallationOutcome> ProvideDatabaseAsync(Installation row, CancellationToken ct)
    {
        var room = await databases.EnsureAsync(row, ct);
        if (room.Given is not { } database)
        {
            return Wait(room.WhyNot, Waiting.ForRoom);
        }

        var known = row with { LogicalDatabase = database.Name };
        return database.State switch
        {
            PeerStates.Stable => Go(CreationInProgress, $"{database.Name} is ready", known),
            PeerStates.CreationFailed or PeerStates.DeletionRequested or PeerStates.DeletionFailed
                or PeerStates.Deleted => throw PeerErrors.Failed(database.Name, database.State, database.Progress),
            _ => Wait<Installation, InstallationState>(
                PeerErrors.Doing(database.Name, database.State, database.Progress), Waiting.ForAnotherService, known),
        };
    }

    /// <summary>creation-in-progress: everything in the cluster, until the pods are ready.</summary>
    public async Task<InstallationOutcome> StartAsync(Installation row, CancellationToken ct)
    {
        var made = await clusterInstallations.EnsureAsync(row, ct);
        // Before it is begun it may be placed anew, where its first cluster does not do.
        var known = row with { ClusterInstallation = made.Name, Cluster = made.Cluster };
        return made.State switch
        {
            PeerStates.Stable => Go(CreationConfiguringDns, $"{made.Name} is stable in {made.Cluster}", known),
            PeerStates.CreationFailed or PeerStates.DeletionRequested or PeerStates.DeletionFailed
                or PeerStates.Deleted => throw PeerErrors.Failed(made.Name, made.State, made.Progress),
            _ => Wait<Installation, InstallationState>(
                PeerErrors.Doing(made.Name, made.State, made.Progress), Waiting.ForAnotherService, known),
        };
    }

    /// <summary>creation-configuring-dns: the names. Their records are made by external-dns from the ingress, which is
    /// there with all of them once the cluster installation is stable; a provider of records that has to be asked will
    /// be asked here.</summary>
    public Task<InstallationOutcome> ServeNamesAsync(Installation row, CancellationToken ct) =>
        Task.FromResult<InstallationOutcome>(
            Go(CreationFinalTasks, $"the ingress serves {string.Join(", ", row.DnsNames)}"));

    /// <summary>creation-final-tasks: the last look before customers are let in. The predecessor has this state, and an
    /// empty hook in it; ours is empty too.</summary>
    public Task<InstallationOutcome> FinishAsync(Installation row, CancellationToken ct) =>
        Task.FromResult<InstallationOutcome>(Go(Stable, "it is ready for its customer"));

    /// <summary>A retry begins where nothing of the failed try is left: what failed there would answer "failed" for
    /// ever. Asked by installation, not by what the row knows, because the try may have been cut before the row
    /// knew.</summary>
    /// <returns>What is still being removed; null when nothing is.</returns>
    private async Task<string?> ClearFailedTryAsync(Installation row, CancellationToken ct)
    {
        foreach (var failed in (await clusterInstallations.OfAsync(row, ct)).Where(made => IsFailedOrGoing(made.State)))
        {
            var going = await clusterInstallations.RemoveAsync(failed.Name, row, ct);
            if (going.State != PeerStates.Deleted)
            {
                return PeerErrors.Doing(going.Name, going.State, going.Progress);
            }
        }

        foreach (var failed in (await databases.OfAsync(row, ct)).Where(made => IsFailedOrGoing(made.State)))
        {
            var going = await databases.RemoveAsync(failed.Name, row, ct);
            if (going.State != PeerStates.Deleted)
            {
                return PeerErrors.Doing(going.Name, going.State, going.Progress);
            }
        }

        return null;
    }

    private static bool IsFailedOrGoing(string state) => state
        is PeerStates.CreationFailed or PeerStates.DeletionRequested or PeerStates.DeletionFailed;
}
