using System.Text.Json;
using Cloud.Operator.Manifests;
using Cloud.Operator.Mattermosts;
using Cloud.Watching;

namespace Cloud.Operator.Reconciling;

/// <summary>How a pass over a resource ended, and when the next one is due.</summary>
public enum PassEnd
{
    /// <summary>Nothing left to do until something changes.</summary>
    Settled,

    /// <summary>Something is under way; look again after a while.</summary>
    Waiting,

    /// <summary>The gate is full; the resource is called when a place is free.</summary>
    TurnedAway,

    /// <summary>Something failed; come back with growing waits.</summary>
    Failed,
}

/// <summary>The end of a pass.</summary>
/// <param name="After">
/// When to look again: exactly for waiting, at least for failing (the server's Retry-After).
/// </param>
public sealed record PassResult(PassEnd End, TimeSpan? After = null);

/// <summary>
/// Brings one resource closer to what its spec says: a list of phases, each of which looks, does what is missing, and
/// lets the next one follow or waits. Nothing waits inside a pass.
/// </summary>
/// <remarks>
/// Guarantees: a pass can be cut anywhere and run again; a pass over a settled resource writes nothing; the status
/// carries the generation that the pass was about, also when it failed. Passes over one resource never overlap (the
/// queue sees to that) and passes over different ones share nothing but caches.
/// Failures: what somebody must correct (<see cref="SpecProblemException"/>, refused objects) and what the API server
/// fails to do end the pass, show in <c>status.error</c> and an Event, and are tried again with back-off, or at once
/// when an object changes that the resource depends on. A resource that does not fit its class is left alone until it
/// does, and says so in the same places.
/// </remarks>
public sealed class Reconciler(
    ClusterView view, StatusWriter statuses, SpecPhases spec, NetworkPhases network, RolloutPhases rollout,
    EventRecorder events, Slots slots, OperatorOptions options, ILogger<Reconciler> log)
{
    /// <summary>How often a resource that is not stable yet is looked at, should no watch tell.</summary>
    private static readonly TimeSpan RecheckHealth = TimeSpan.FromSeconds(6);

    /// <summary>How long another's write may take to reach the cache.</summary>
    private static readonly TimeSpan RecheckConflict = TimeSpan.FromMilliseconds(100);

    /// <summary>Makes one pass.</summary>
    /// <exception cref="KubernetesApiException">Not even the status could be written.</exception>
    public async Task<PassResult> Reconcile(ObjectKey key, CancellationToken cancellation)
    {
        if (view.Unreadable(key) is { } unreadable)
        {
            return await Refuse(unreadable, cancellation);
        }

        if (view.Mattermosts.Find(key) is not { } mattermost || mattermost.Metadata.DeletionTimestamp is not null)
        {
            slots.Forget(key);
            return new PassResult(PassEnd.Settled);
        }

        if (!slots.TryEnter(key, MattermostState.IsInProgress(mattermost.Status?.State)))
        {
            log.LogInformation("Holding {Mattermost} back: {Held} others are in progress", key, slots.Held);
            return new PassResult(PassEnd.TurnedAway, options.RequeueOnLimitDelay);
        }

        try
        {
            return await Advance(new Pass(mattermost), cancellation);
        }
        finally
        {
            var state = view.Mattermosts.Find(key)?.Status?.State;
            slots.Note(key, MattermostState.IsInProgress(state));
        }
    }

    /// <summary>Nothing is done for a resource whose wish cannot be read; it says so itself.</summary>
    private async Task<PassResult> Refuse(UndecodableObject unreadable, CancellationToken cancellation)
    {
        slots.Forget(unreadable.Key);
        if (unreadable.Object is { } rough
            && await statuses.WriteUnreadable(rough, $"It cannot be read: {unreadable.Reason}", cancellation))
        {
            await events.Warning(
                new Mattermost { Metadata = rough.Metadata }, "Unreadable", unreadable.Reason, cancellation);
        }

        return new PassResult(PassEnd.Settled);
    }

    private IEnumerable<(string Name, Func<Pass, CancellationToken, Task<PhaseResult>> Run)> Phases() =>
    [
        ("completing the spec", spec.Complete),
        ("checking the database", spec.CheckDatabase),
        ("checking the file store", spec.CheckFileStore),
        ("checking the licence", spec.CheckLicense),
        ("making the Service", network.EnsureService),
        ("making the ServiceAccount and its rights", network.EnsureAccess),
        ("making the Ingress", network.EnsureIngress),
        ("making the claim", rollout.EnsureClaim),
        ("migrating the database", rollout.MigrateDatabase),
        ("rolling out", rollout.EnsureDeployment),
        ("making the job server", rollout.EnsureJobServer),
    ];

    private async Task<PassResult> Advance(Pass pass, CancellationToken cancellation)
    {
        if (pass.Mattermost.Status?.State is not { Length: > 0 })
        {
            await Report(pass, pass.Mattermost.Status ?? new MattermostStatus(), cancellation);
            pass.Mattermost = view.Mattermosts.Find(pass.Mattermost.Key) ?? pass.Mattermost;
        }

        var doing = "";
        try
        {
            foreach (var phase in Phases())
            {
                doing = phase.Name;
                var result = await phase.Run(pass, cancellation);
                if (result.Waits is { } reason)
                {
                    log.LogInformation("Waiting for {Reason} ({Mattermost})", reason, pass.Mattermost.Key);
                    await Report(pass, (pass.Mattermost.Status ?? new()) with { Error = null }, cancellation);
                    return new PassResult(PassEnd.Waiting, result.After);
                }
            }
        }
        catch (KubernetesApiException e) when (e.Kind == KubernetesErrorKind.Conflict)
        {
            // Somebody wrote at the same time. What they wrote is on its way to the cache: no fault, look again.
            log.LogDebug("Starting {Mattermost} over while {Doing}: {Message}", pass.Mattermost.Key, doing, e.Message);
            return new PassResult(PassEnd.Waiting, RecheckConflict);
        }
        catch (Exception e) when (e is SpecProblemException or KubernetesApiException or JsonException)
        {
            return await Fail(pass, doing, e, cancellation);
        }

        return await Conclude(pass, cancellation);
    }

    private async Task<PassResult> Conclude(Pass pass, CancellationToken cancellation)
    {
        var mattermost = pass.Mattermost;
        var verdict = Health.Judge(mattermost, new Observation(
            view.Deployments.Find(mattermost.Key),
            view.Deployments.Find(mattermost.Namespace, Names.JobServer(mattermost)),
            view.ReplicaSetsByResource.Find(mattermost.Key.ToString()),
            view.Services.Find(mattermost.Key),
            view.Ingresses.Find(mattermost.Key)));
        var status = verdict.Status with
        {
            ResourcePatch = Patches(pass), Others = mattermost.Status?.Others,
        };
        var wasStable = mattermost.Status is { State: MattermostState.Stable } before
            && before.ObservedGeneration == mattermost.Metadata.Generation;
        var isNews = await Write(pass, status, cancellation);
        if (verdict.Waits is { } reason)
        {
            log.Log(
                isNews ? LogLevel.Information : LogLevel.Debug,
                "{Mattermost} is {State}: {Reason}", mattermost.Key, status.State, reason);
            return new PassResult(PassEnd.Waiting, RecheckHealth);
        }

        if (!wasStable)
        {
            log.LogInformation("{Mattermost} is stable with {Version}", mattermost.Key, mattermost.Spec.Version);
            await events.Normal(
                mattermost, "Stable", $"{mattermost.Spec.Replicas} replicas of {Pods.Image(mattermost.Spec)} serve",
                cancellation);
        }

        return new PassResult(PassEnd.Settled);
    }

    private async Task<PassResult> Fail(Pass pass, string doing, Exception error, CancellationToken cancellation)
    {
        var mattermost = pass.Mattermost;
        log.LogWarning("Failing at {Mattermost} while {Doing}: {Message}", mattermost.Key, doing, error.Message);
        if (mattermost.Status?.Error != error.Message)
        {
            var reason = error is SpecProblemException problem ? problem.Reason
                : error is KubernetesApiException api ? api.Kind.ToString() : "Unreadable";
            await events.Warning(mattermost, reason, $"While {doing}: {error.Message}", cancellation);
        }

        await Report(pass, (mattermost.Status ?? new()) with { Error = error.Message }, cancellation);
        return new PassResult(PassEnd.Failed, (error as KubernetesApiException)?.RetryAfter);
    }

    /// <summary>Writes a status that keeps what was known and says that the resource is not there yet.</summary>
    private Task<bool> Report(Pass pass, MattermostStatus status, CancellationToken cancellation) =>
        Write(pass, status with { State = MattermostState.Reconciling }, cancellation);

    private Task<bool> Write(Pass pass, MattermostStatus status, CancellationToken cancellation) => statuses.Write(
        pass.Mattermost, status with { ObservedGeneration = pass.Mattermost.Metadata.Generation }, cancellation);

    private static ResourcePatchStatus? Patches(Pass pass) =>
        pass.ServicePatch is null && pass.DeploymentPatch is null
            ? null
            : new ResourcePatchStatus { ServicePatch = pass.ServicePatch, DeploymentPatch = pass.DeploymentPatch };
}
