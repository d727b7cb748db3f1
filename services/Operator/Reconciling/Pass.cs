using Cloud.Operator.Manifests;
using Cloud.Operator.Mattermosts;
using k8s.Models;

namespace Cloud.Operator.Reconciling;

/// <summary>Whether a pass goes on to its next phase.</summary>
/// <param name="Waits">What the pass waits for; null to go on.</param>
/// <param name="After">When to look again, in case no watch brings it up before.</param>
public sealed record PhaseResult(string? Waits, TimeSpan After)
{
    public static readonly PhaseResult Next = new(null, TimeSpan.Zero);

    public static PhaseResult Wait(string reason, TimeSpan after) => new(reason, after);
}

/// <summary>One pass over one resource: what the phases have found out and made so far.</summary>
public sealed class Pass(Mattermost mattermost)
{
    /// <summary>The resource; replaced when the first phase completes its spec.</summary>
    public Mattermost Mattermost { get; set; } = mattermost;

    /// <summary>Set by the database phase.</summary>
    public DatabaseSettings? Database { get; set; }

    /// <summary>Set by the file store phase.</summary>
    public FileStoreSettings? FileStore { get; set; }

    /// <summary>What the manifests depend on; complete after the file store phase.</summary>
    public Facts Facts => new(Database!, FileStore!);

    /// <summary>Set by the network phase.</summary>
    public PatchResult? ServicePatch { get; set; }

    /// <summary>Set by the rollout phase.</summary>
    public PatchResult? DeploymentPatch { get; set; }

    /// <summary>The Deployment as wanted, after its patch; set by the rollout phase.</summary>
    public V1Deployment? DesiredDeployment { get; set; }
}
