using static Cloud.Installations.InstallationState;

namespace Cloud.Installations;

/// <summary>THE table: what happens in each state and what may follow. The diagram in the README is drawn from it.
/// What requests may do to a state is the other table, <see cref="InstallationVerbs"/>.</summary>
public sealed class InstallationRules(Creation creation, Update update, Hibernation hibernation, Deletion deletion)
    : IRules<Installation, InstallationState>
{
    /// <summary>Pods that are not ready after this long will not become so by themselves: an image that does not exist,
    /// an environment that the application refuses.</summary>
    public static readonly TimeSpan PodsGiveUpAfter = TimeSpan.FromMinutes(30);

    /// <inheritdoc/>
    public Rule<Installation, InstallationState> For(InstallationState state) => state switch
    {
        CreationRequested => new(creation.PlaceAsync, CreationPreProvisioning, CreationNoCompatibleClusters)
        {
            OnFailure = CreationFailed, Priority = 5,
        },
        CreationNoCompatibleClusters => new(creation.PlaceAsync, CreationPreProvisioning)
        {
            OnFailure = CreationFailed, Priority = 4,
        },
        CreationPreProvisioning => new(creation.ProvideDatabaseAsync, CreationInProgress)
        {
            OnFailure = CreationFailed, Priority = 3,
        },
        CreationInProgress => new(creation.StartAsync, CreationConfiguringDns)
        {
            OnFailure = CreationFailed, GiveUpAfter = PodsGiveUpAfter, Priority = 2,
        },
        CreationConfiguringDns => new(creation.ServeNamesAsync, CreationFinalTasks)
        {
            OnFailure = CreationFailed, Priority = 1,
        },
        CreationFinalTasks => new(creation.FinishAsync, Stable) { OnFailure = CreationFailed, Priority = 1 },

        UpdateRequested or WakeUpRequested or DeletionCancellationRequested =>
            new(update.BeginAsync, UpdateInProgress) { OnFailure = UpdateFailed },
        UpdateInProgress => new(update.FinishAsync, Stable)
        {
            OnFailure = UpdateFailed, GiveUpAfter = PodsGiveUpAfter,
        },

        // Stopping pods has no failed state: it is tried until it works, or until somebody deletes.
        HibernationRequested => new(hibernation.BeginAsync, HibernationInProgress),
        HibernationInProgress => new(hibernation.FinishAsync, Hibernating),

        DeletionPendingRequested => new(deletion.BeginPendingAsync, DeletionPendingInProgress),
        DeletionPendingInProgress => new(deletion.FinishPendingAsync, DeletionPending),
        DeletionPending => new(deletion.ExpireAsync, DeletionRequested),
        DeletionRequested => new(deletion.BeginAsync, DeletionInProgress) { OnFailure = DeletionFailed },
        DeletionInProgress => new(deletion.LeaveClusterAsync, DeletionFinalCleanup) { OnFailure = DeletionFailed },
        DeletionFinalCleanup => new(deletion.CleanUpAsync, Deleted) { OnFailure = DeletionFailed },

        CreationFailed or Stable or UpdateFailed or Hibernating or DeletionFailed or Deleted => new(null),
    };
}
