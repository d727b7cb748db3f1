using Cloud.Providers;
using static Cloud.Installations.InstallationState;
using static Cloud.ServiceDefaults.Supervision.Outcome;

namespace Cloud.Installations;

/// <summary>
/// hibernation-requested -> hibernation-in-progress -> hibernating. The pods go; database, files, names and secrets
/// stay, and the address answers 410. Waking up is <see cref="Update"/>.
/// </summary>
public sealed class Hibernation(ClusterInstallations clusterInstallations)
{
    /// <summary>hibernation-requested: the cluster is told.</summary>
    public async Task<InstallationOutcome> BeginAsync(Installation row, CancellationToken ct)
    {
        var told = await clusterInstallations.ApplyAsync(row, hibernated: true, ct);
        return Go(HibernationInProgress, $"{told.Name} is to stop its pods");
    }

    /// <summary>hibernation-in-progress: until no pod is left.</summary>
    public async Task<InstallationOutcome> FinishAsync(Installation row, CancellationToken ct)
    {
        var told = await clusterInstallations.ApplyAsync(row, hibernated: true, ct);
        return told.State switch
        {
            PeerStates.Stable => Go(Hibernating, "its pods are stopped"),
            PeerStates.CreationFailed or PeerStates.DeletionRequested or PeerStates.DeletionFailed
                or PeerStates.Deleted => throw PeerErrors.Failed(told.Name, told.State, told.Progress),
            _ => Wait(PeerErrors.Doing(told.Name, told.State, told.Progress), Waiting.ForAnotherService),
        };
    }
}
