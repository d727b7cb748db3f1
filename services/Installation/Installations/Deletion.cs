using Cloud.Providers;
using static Cloud.Installations.InstallationState;
using static Cloud.ServiceDefaults.Supervision.Outcome;

namespace Cloud.Installations;

/// <summary>
/// deletion-pending-requested -> deletion-pending-in-progress -> deletion-pending -> deletion-requested ->
/// deletion-in-progress -> deletion-final-cleanup -> deleted. Up to deletion-pending nothing is lost, and it can be
/// taken back (<see cref="Update"/>). What is removed is asked for by installation, not by what the row knows: a
/// creation that was cut may have made something that no row tells of.
/// </summary>
/// <remarks>A worker that was paused in a creation step and goes on later finds the door shut: giving back the room
/// tells each of the other services a higher epoch, also where there was nothing to remove. What is there is looked for
/// once more after that: what slipped in before is seen, and nothing comes after it.</remarks>
public sealed class Deletion(
    ClusterInstallations clusterInstallations,
    Placements placements,
    LogicalDatabases databases,
    InstallationStore store,
    Database database)
{
    /// <summary>deletion-pending-requested: the cluster is told to stop the pods.</summary>
    public async Task<InstallationOutcome> BeginPendingAsync(Installation row, CancellationToken ct)
    {
        foreach (var _ in await StoppableAsync(row, ct))
        {
            await clusterInstallations.ApplyAsync(row, hibernated: true, ct);
        }

        return Go(DeletionPendingInProgress, "its pods are to stop");
    }

    /// <summary>deletion-pending-in-progress: until no pod is left. The time in which the deletion can be taken back
    /// begins here, however long the stopping took.</summary>
    public async Task<InstallationOutcome> FinishPendingAsync(Installation row, CancellationToken ct)
    {
        foreach (var _ in await StoppableAsync(row, ct))
        {
            var told = await clusterInstallations.ApplyAsync(row, hibernated: true, ct);
            if (told.State is not (PeerStates.Stable or PeerStates.CreationFailed))
            {
                return Wait(PeerErrors.Doing(told.Name, told.State, told.Progress), Waiting.ForAnotherService);
            }
        }

        var purgeTime = database.Now + (row.DeletionPendingTime ?? TimeSpan.Zero);
        return Go(DeletionPending, $"it can be taken back until {purgeTime:u}", row with { PurgeTime = purgeTime });
    }

    /// <summary>deletion-pending: until its time is over.</summary>
    public Task<InstallationOutcome> ExpireAsync(Installation row, CancellationToken ct)
    {
        var left = (row.PurgeTime ?? DateTimeOffset.MinValue) - database.Now;
        return Task.FromResult<InstallationOutcome>(left <= TimeSpan.Zero
            ? Go(DeletionRequested, "the time to take the deletion back is over", row with { PurgeTime = null })
            : Wait(
                $"it becomes final at {row.PurgeTime:u} unless it is cancelled",
                left < Waiting.ForAMomentAtMost ? left : Waiting.ForAMomentAtMost));
    }

    /// <summary>deletion-requested: the clusters are told.</summary>
    public async Task<InstallationOutcome> BeginAsync(Installation row, CancellationToken ct)
    {
        foreach (var made in await clusterInstallations.OfAsync(row, ct))
        {
            await clusterInstallations.RemoveAsync(made.Name, row, ct);
        }

        return Go(DeletionInProgress, "it is to leave its cluster");
    }

    /// <summary>deletion-in-progress: until nothing of it is in a cluster. Only then the database may go: the
    /// application must not see it go.</summary>
    public async Task<InstallationOutcome> LeaveClusterAsync(Installation row, CancellationToken ct)
    {
        if (await StillThereAsync(row, ct) is { } going) return going;

        await placements.ReleaseAsync(row, ct);
        if (await StillThereAsync(row, ct) is { } cameBetween) return cameBetween;

        await databases.ReleaseAsync(row, ct);
        foreach (var made in await databases.OfAsync(row, ct))
        {
            await databases.RemoveAsync(made.Name, row, ct);
        }

        return Go(DeletionFinalCleanup, "it has left its cluster; its database is to be dropped");
    }

    /// <summary>deletion-final-cleanup: until its database is dropped; with the last write its names are
    /// free.</summary>
    public async Task<InstallationOutcome> CleanUpAsync(Installation row, CancellationToken ct)
    {
        foreach (var made in await databases.OfAsync(row, ct))
        {
            if (made.State == PeerStates.DeletionFailed)
            {
                throw PeerErrors.Failed(made.Name, made.State, made.Progress);
            }

            var going = await databases.RemoveAsync(made.Name, row, ct);
            if (going.State != PeerStates.Deleted)
            {
                return Wait(PeerErrors.Doing(going.Name, going.State, going.Progress), Waiting.ForAnotherService);
            }
        }

        return Go(
            Deleted,
            "nothing of it is left, and its names are free",
            row with { DeleteTime = database.Now },
            (transaction, token) => store.ReleaseNamesAsync(transaction, row, token));
    }

    /// <summary>What to wait for while something of it is in a cluster; null when nothing is.</summary>
    private async Task<InstallationOutcome?> StillThereAsync(Installation row, CancellationToken ct)
    {
        foreach (var made in await clusterInstallations.OfAsync(row, ct))
        {
            if (made.State == PeerStates.DeletionFailed)
            {
                throw PeerErrors.Failed(made.Name, made.State, made.Progress);
            }

            var going = await clusterInstallations.RemoveAsync(made.Name, row, ct);
            if (going.State != PeerStates.Deleted)
            {
                return Wait(PeerErrors.Doing(going.Name, going.State, going.Progress), Waiting.ForAnotherService);
            }
        }

        return null;
    }

    /// <summary>What there is to stop: nothing, when somebody removed the installation from its cluster by hand, or the
    /// cluster refused it.</summary>
    private async Task<IEnumerable<Protos.Cluster.V1.ClusterInstallation>> StoppableAsync(
        Installation row, CancellationToken ct) =>
        (await clusterInstallations.OfAsync(row, ct))
            .Where(made => made.Name == row.ClusterInstallation
                && made.State is not (
                    PeerStates.CreationFailed or PeerStates.DeletionRequested or PeerStates.DeletionFailed));
}
