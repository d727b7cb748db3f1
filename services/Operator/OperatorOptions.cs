namespace Cloud.Operator;

/// <summary>Settings of the operator; names and defaults are those of the manifests that run it today.</summary>
public sealed record OperatorOptions
{
    /// <summary>Resources in progress at once (<c>MAX_RECONCILING_INSTALLATIONS</c>).</summary>
    public int MaxReconcilingInstallations { get; init; } = 20;

    /// <summary>
    /// When a resource that was held back looks again, should nobody call it (<c>REQUEUE_ON_LIMIT_DELAY</c>).
    /// </summary>
    public TimeSpan RequeueOnLimitDelay { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Passes at once (<c>MAX_RECONCILE_CONCURRENCY</c>).</summary>
    public int MaxReconcileConcurrency { get; init; } = 10;

    /// <summary>Work only while holding the Lease (<c>--enable-leader-election</c>).</summary>
    public bool EnableLeaderElection { get; init; }

    /// <summary>Namespace of the operator itself, for its Lease (<c>POD_NAMESPACE</c>).</summary>
    public string Namespace { get; init; } = "mattermost-operator";

    /// <summary>
    /// Name of this copy of the operator, unique among all that run: its pod's (<c>POD_NAME</c>), or else a random one.
    /// A container that is started again in the same pod is the same copy and goes on with its Lease at once.
    /// </summary>
    public string Instance { get; init; } = "";
}
