using Cloud.Providers;
using static Cloud.Installations.InstallationState;
using static Cloud.ServiceDefaults.Supervision.Outcome;

namespace Cloud.Installations;

/// <summary>
/// update-requested, wake-up-requested, deletion-cancellation-requested -> update-in-progress -> stable. All three ask
/// for the same: that the cluster runs what the row wants, with pods.
/// </summary>
public sealed class Update(ClusterInstallations clusterInstallations, InstallationStore store)
{
    /// <summary>update-requested, wake-up-requested, deletion-cancellation-requested: the cluster is told.</summary>
    public async Task<InstallationOutcome> BeginAsync(Installation row, CancellationToken ct)
    {
        var told = await clusterInstallations.ApplyAsync(row, hibernated: false, ct);
        return Go(UpdateInProgress, $"{told.Name} is to run {row.Image}:{row.ApplicationVersion} as {row.Size}");
    }

    /// <summary>update-in-progress: until its pods are the new ones; with that, names that it gave up are free. It is
    /// told again with each look, which starts no work unless somebody changed it in between.</summary>
    public async Task<InstallationOutcome> FinishAsync(Installation row, CancellationToken ct)
    {
        var told = await clusterInstallations.ApplyAsync(row, hibernated: false, ct);
        return told.State switch
        {
            PeerStates.Stable => Go(
                Stable,
                $"{told.Name} runs {row.Image}:{row.ApplicationVersion} as {row.Size}",
                row,
                (transaction, token) => store.LetGoOfNamesAsync(transaction, row, token)),
            PeerStates.CreationFailed or PeerStates.DeletionRequested or PeerStates.DeletionFailed
                or PeerStates.Deleted => throw PeerErrors.Failed(told.Name, told.State, told.Progress),
            _ => Wait(PeerErrors.Doing(told.Name, told.State, told.Progress), Waiting.ForAnotherService),
        };
    }
}
