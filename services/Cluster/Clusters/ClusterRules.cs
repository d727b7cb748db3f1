using static Cloud.Clusters.ClusterState;
using Rule = Cloud.ServiceDefaults.Supervision.Rule<Cloud.Clusters.Cluster, Cloud.Clusters.ClusterState>;

namespace Cloud.Clusters;

/// <summary>THE table of clusters.</summary>
public sealed class ClusterRules(Import import, Provisioning provisioning, Deletion deletion)
    : IRules<Cluster, ClusterState>
{
    /// <summary>How long a silent or unfinished cluster is waited for before it is called failed.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    /// <summary>Longer than the bound on a call to a cluster, so that a silent cluster is named as the cause.</summary>
    private static readonly TimeSpan StepDeadline = TimeSpan.FromSeconds(45);

    /// <inheritdoc/>
    public Rule For(ClusterState state) => state switch
    {
        CreationRequested => new(import.ConnectAsync, ProvisionInProgress)
        {
            Priority = 4, Deadline = StepDeadline, GiveUpAfter = Patience, OnFailure = CreationFailed,
        },
        ProvisioningRequested => new(import.ConnectAsync, ProvisionInProgress)
        {
            Deadline = StepDeadline, GiveUpAfter = Patience, OnFailure = ProvisioningFailed,
        },
        ProvisionInProgress => new(provisioning.InstallAsync, Stable)
        {
            Priority = 1, Deadline = StepDeadline, GiveUpAfter = Patience, OnFailure = ProvisioningFailed,
        },
        DeletionRequested => new(deletion.LetGoAsync, Deleted)
        {
            Deadline = StepDeadline, GiveUpAfter = Patience, OnFailure = DeletionFailed,
        },
        Stable or CreationFailed or ProvisioningFailed or DeletionFailed or Deleted => new(null),
    };
}
