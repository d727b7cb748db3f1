namespace Cloud.Installations;

/// <summary>
/// Where an installation stands, by the predecessor's names (kebab-case outside of C#). What happens in each and what
/// may follow is the table in <see cref="InstallationRules"/>.
/// </summary>
public enum InstallationState
{
    CreationRequested,
    CreationNoCompatibleClusters,
    CreationPreProvisioning,
    CreationInProgress,
    CreationConfiguringDns,
    CreationFinalTasks,
    CreationFailed,
    Stable,
    UpdateRequested,
    UpdateInProgress,
    UpdateFailed,
    HibernationRequested,
    HibernationInProgress,
    Hibernating,
    WakeUpRequested,
    DeletionPendingRequested,
    DeletionPendingInProgress,
    DeletionPending,
    DeletionCancellationRequested,
    DeletionRequested,
    DeletionInProgress,
    DeletionFinalCleanup,
    DeletionFailed,
    Deleted,
}
