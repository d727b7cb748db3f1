using Cloud.Operator.Manifests;
using Cloud.Operator.Mattermosts;

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

    /// <summary>
    /// Reads <c>REQUEUE_ON_LIMIT_DELAY</c> as the operator of today does (<c>20s</c>, <c>1m30s</c>, <c>500ms</c>); a
    /// mere number means seconds. Null when it is not set.
    /// </summary>
    /// <exception cref="InvalidOperationException">It is no duration, or none to wait.</exception>
    public static TimeSpan? ReadRequeueOnLimitDelay(string? text)
    {
        if (string.IsNullOrEmpty(text))
        {
            return null;
        }

        try
        {
            var delay = GoDuration.Parse(text.All(char.IsAsciiDigit) ? text + "s" : text);
            return delay > TimeSpan.Zero
                ? delay
                : throw new InvalidOperationException($"REQUEUE_ON_LIMIT_DELAY: '{text}' is not longer than nothing.");
        }
        catch (SpecProblemException e)
        {
            throw new InvalidOperationException($"REQUEUE_ON_LIMIT_DELAY: {e.Message}", e);
        }
    }
}
