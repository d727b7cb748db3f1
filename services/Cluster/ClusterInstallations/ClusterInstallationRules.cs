using static Cloud.ClusterInstallations.ClusterInstallationState;
using Rule = Cloud.ServiceDefaults.Supervision.Rule<
    Cloud.ClusterInstallations.ClusterInstallation, Cloud.ClusterInstallations.ClusterInstallationState>;

namespace Cloud.ClusterInstallations;

/// <summary>THE table of cluster installations.</summary>
public sealed class ClusterInstallationRules(Creation creation, Update update, Deletion deletion)
    : IRules<ClusterInstallation, ClusterInstallationState>
{
    /// <summary>Longer than the bound on a call to a cluster, so that a silent cluster is named as the cause.</summary>
    private static readonly TimeSpan StepDeadline = TimeSpan.FromSeconds(45);

    /// <inheritdoc/>
    public Rule For(ClusterInstallationState state) => state switch
    {
        CreationRequested => new(creation.WriteAsync, Reconciling)
        {
            Priority = 3, Deadline = StepDeadline, OnFailure = CreationFailed,
        },
        Reconciling => new(update.FollowAsync, Ready, Stable) { Priority = 2, Deadline = StepDeadline },
        Ready => new(update.FollowAsync, Reconciling, Stable) { Priority = 1, Deadline = StepDeadline },
        DeletionRequested => new(deletion.RemoveAsync, Deleted)
        {
            Deadline = StepDeadline, OnFailure = DeletionFailed,
        },
        Stable or CreationFailed or DeletionFailed or Deleted => new(null),
    };
}
