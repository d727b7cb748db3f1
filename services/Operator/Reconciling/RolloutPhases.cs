using Cloud.Operator.Manifests;
using Cloud.Operator.Mattermosts;
using Cloud.Watching;
using k8s.Models;

namespace Cloud.Operator.Reconciling;

/// <summary>The phases that bring new pods: the claim, the migration of the database, the Deployments.</summary>
public sealed class RolloutPhases(KubernetesApi api, ClusterView view, Children children, EventRecorder events)
{
    /// <summary>How often a running update Job is looked at, should no watch tell.</summary>
    private static readonly TimeSpan RecheckJob = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan RecheckDeletion = TimeSpan.FromSeconds(2);

    /// <summary>The claim for local files.</summary>
    public async Task<PhaseResult> EnsureClaim(Pass pass, CancellationToken cancellation)
    {
        if (pass.FileStore!.Kind == FileStoreKind.OwnClaim)
        {
            var live = view.Claims.Find(pass.Mattermost.Key);
            var desired = FileStoreSettings.OwnClaim(pass.Mattermost, live);
            await children.Apply(ResourceKinds.PersistentVolumeClaims, view.Claims, desired, cancellation);
        }

        return PhaseResult.Next;
    }

    /// <summary>
    /// Before a Deployment that exists gets another image, a Job migrates the database with it. Until that Job has
    /// succeeded the Deployment stays as it is.
    /// </summary>
    public async Task<PhaseResult> MigrateDatabase(Pass pass, CancellationToken cancellation)
    {
        var mattermost = pass.Mattermost;
        (pass.DesiredDeployment, pass.DeploymentPatch) = ResourcePatches.Apply(
            Deployments.Build(mattermost, pass.Facts), mattermost.Spec.ResourcePatch?.Deployment);
        var live = view.Deployments.Find(mattermost.Key);
        if (live is null || mattermost.Spec.UpdateJob?.Disabled == true)
        {
            return PhaseResult.Next;
        }

        RequireSameSelector(live, pass.DesiredDeployment);
        var (from, to) = (RequireImage(live), RequireImage(pass.DesiredDeployment));
        return from == to ? PhaseResult.Next : await RunJob(pass, from, to, cancellation);
    }

    /// <summary>The Deployment, and the end of the update Job that made way for it.</summary>
    public async Task<PhaseResult> EnsureDeployment(Pass pass, CancellationToken cancellation)
    {
        await children.Apply(ResourceKinds.Deployments, view.Deployments, pass.DesiredDeployment!, cancellation);
        await children.DeleteOwned(pass.Mattermost, ResourceKinds.Jobs, Job(pass.Mattermost), cancellation);
        return PhaseResult.Next;
    }

    /// <summary>The Deployment for background jobs, if wanted.</summary>
    public async Task<PhaseResult> EnsureJobServer(Pass pass, CancellationToken cancellation)
    {
        var mattermost = pass.Mattermost;
        var live = view.Deployments.Find(mattermost.Namespace, Names.JobServer(mattermost));
        if (!JobServers.IsWanted(mattermost.Spec))
        {
            await children.DeleteOwned(mattermost, ResourceKinds.Deployments, live, cancellation);
            return PhaseResult.Next;
        }

        var desired = JobServers.Build(mattermost, pass.DesiredDeployment!);
        if (live is not null && !SameSelector(live, desired))
        {
            // Its selector holds labels that users may change, and a selector cannot be changed: make it anew.
            await children.DeleteOwned(mattermost, ResourceKinds.Deployments, live, cancellation);
            return PhaseResult.Wait("the job server with other labels to go", RecheckDeletion);
        }

        await children.Apply(ResourceKinds.Deployments, view.Deployments, desired, cancellation);
        return PhaseResult.Next;
    }

    private async Task<PhaseResult> RunJob(Pass pass, string from, string to, CancellationToken cancellation)
    {
        var mattermost = pass.Mattermost;
        var desired = UpdateJobs.Build(mattermost, pass.DesiredDeployment!);
        if (Job(mattermost) is not { } live)
        {
            return await StartJob(mattermost, desired, $"Migrating the database from {from} to {to}", cancellation);
        }

        if (!Names.Owns(mattermost, live.Metadata))
        {
            return PhaseResult.Wait("the update Job of another resource in this namespace to end", RecheckJob);
        }

        if (live.Metadata.DeletionTimestamp is not null)
        {
            return PhaseResult.Wait("the last update Job to go", RecheckDeletion);
        }

        if (live.Metadata.Annotations?.TryGetValue(UpdateJobs.TemplateAnnotation, out var made) != true
            || made != desired.Metadata.Annotations[UpdateJobs.TemplateAnnotation])
        {
            await children.DeleteOwned(mattermost, ResourceKinds.Jobs, live, cancellation);
            return PhaseResult.Wait("an update Job for something else to go", RecheckDeletion);
        }

        if (UpdateJobs.HasFailed(live))
        {
            throw new SpecProblemException(
                "UpdateJobFailed",
                $"Job '{Names.UpdateJob}' could not migrate the database to {to}: {UpdateJobs.FailureMessage(live)}. "
                + "The old version keeps running. Change the spec, or delete the Job to try again.");
        }

        return UpdateJobs.HasSucceeded(live)
            ? PhaseResult.Next
            : PhaseResult.Wait($"the update Job for {to} to complete", RecheckJob);
    }

    private async Task<PhaseResult> StartJob(
        Mattermost mattermost, V1Job desired, string note, CancellationToken cancellation)
    {
        using var write = view.Jobs.BeginWrite(ObjectKey.Of(desired));
        try
        {
            write.Complete(await api.Create(ResourceKinds.Jobs, desired, Children.FieldManager, cancellation));
        }
        catch (KubernetesApiException e) when (e.Kind == KubernetesErrorKind.AlreadyExists)
        {
            return await ReplaceUnlabelledJob(mattermost, ObjectKey.Of(desired), cancellation);
        }

        await events.Normal(mattermost, "UpdateJobStarted", note, cancellation);
        return PhaseResult.Wait("the update Job to complete", RecheckJob);
    }

    /// <summary>
    /// The predecessor's Job bears no label, so it is in no cache; only one of this resource is removed.
    /// </summary>
    private async Task<PhaseResult> ReplaceUnlabelledJob(
        Mattermost mattermost, ObjectKey key, CancellationToken cancellation)
    {
        var live = await api.Find(ResourceKinds.Jobs, key, cancellation);
        if (live?.Metadata.Labels?.ContainsKey(Names.ResourceLabel) != true)
        {
            await children.DeleteOwned(mattermost, ResourceKinds.Jobs, live, cancellation);
        }

        return PhaseResult.Wait("an earlier update Job to go", RecheckDeletion);
    }

    private V1Job? Job(Mattermost mattermost) => view.Jobs.Find(mattermost.Namespace, Names.UpdateJob);

    private static string RequireImage(V1Deployment deployment) =>
        Deployments.ImageOf(deployment.Spec.Template) ?? throw new SpecProblemException(
            "ContainerMissing",
            $"Deployment '{deployment.Metadata.Name}' has no container named '{Names.Container}'.");

    private static void RequireSameSelector(V1Deployment live, V1Deployment desired)
    {
        if (!SameSelector(live, desired))
        {
            throw new SpecProblemException(
                "SelectorImmutable",
                $"Deployment '{live.Metadata.Name}' selects its pods by other labels, which cannot be changed: "
                + "delete it, and it will be made anew.");
        }
    }

    private static bool SameSelector(V1Deployment live, V1Deployment desired) =>
        live.Spec.Selector.MatchLabels is { } labels && labels.Count == desired.Spec.Selector.MatchLabels.Count
        && labels.All(l => desired.Spec.Selector.MatchLabels.TryGetValue(l.Key, out var v) && v == l.Value);
}
