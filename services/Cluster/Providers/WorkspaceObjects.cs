using Cloud.ClusterInstallations;
using Cloud.Clusters;
using Cloud.Watching;
using k8s;
using k8s.Models;

namespace Cloud.Providers;

/// <summary>
/// An installation's objects in its cluster: writes them, reads what became of them, removes them.
/// <para>Every write is fenced (<see cref="FencedWrites"/>): a worker that was paused anywhere can neither overwrite
/// what its successor wrote nor make anew what a deletion removed. What slips through after all is found by <see
/// cref="Drift"/>.</para>
/// <para>Failures are <see cref="StepException"/>s.</para>
/// </summary>
public sealed class WorkspaceObjects(
    ClusterConnections connections, DatabaseCredentials credentials, ClusterInstallationStore rows, TimeProvider time)
{
    /// <summary>
    /// Writes everything that is not as wanted. Answers the resource as written, or null while a namespace of that name
    /// is still being removed and nothing can be written.
    /// </summary>
    public Task<MattermostResource?> EnsureAsync(Cluster cluster, ClusterInstallation row, CancellationToken ct) =>
        CallAsync(cluster, async api =>
        {
            var ns = await api.Find(WorkspaceNamespace.Resource, NamespaceKey(row), ct);
            if (ns is { IsTerminating: true }) return null;
            RefuseForeign(ns, row);
            if (row.AppliedGeneration == 0 && !await rows.BeginAsync(row, ct))
                throw new StepException(
                    ErrorReason.RowTakenOver, "Another worker, or a newer request, has taken it over.");
            try
            {
                return await WriteAsync(api, row, ns, ct);
            }
            catch (KubernetesApiException e) when (e.IsNamespaceTerminating)
            {
                return null;
            }
        });

    /// <summary>The resource as it is; null when it or its namespace is gone or going.</summary>
    public Task<MattermostResource?> FindAsync(Cluster cluster, ClusterInstallation row, CancellationToken ct) =>
        CallAsync(cluster, async api =>
        {
            var found = await api.Find(MattermostResource.Resource, ResourceKey(row), ct);
            return found?.Metadata.DeletionTimestamp is null ? found : null;
        });

    /// <summary>Namespace and resource as they are at this moment.</summary>
    public Task<(WorkspaceNamespace? Namespace, MattermostResource? Resource)> LookAsync(
        Cluster cluster, ClusterInstallation row, CancellationToken ct) =>
        CallAsync(cluster, async api => (
            await api.Find(WorkspaceNamespace.Resource, NamespaceKey(row), ct),
            await api.Find(MattermostResource.Resource, ResourceKey(row), ct)));

    /// <summary>
    /// Begins to remove everything, or finds it begun. Answers null once nothing of it is left, else the namespace that
    /// is still there.
    /// </summary>
    public Task<WorkspaceNamespace?> RemoveAsync(Cluster cluster, ClusterInstallation row, CancellationToken ct) =>
        CallAsync(cluster, async api =>
        {
            var ns = await api.Find(WorkspaceNamespace.Resource, NamespaceKey(row), ct);
            if (ns is null || ns.ClusterInstallationId() != row.Id) return null;
            if (ns.IsTerminating) return ns;
            Fenced(api, row).Refuse(ns);
            // The resource first, so that the operator does not mend what the namespace takes down with it.
            var resource = await api.Find(MattermostResource.Resource, ResourceKey(row), ct);
            if (resource is not null && resource.Row() == row.Name)
                await api.Delete(MattermostResource.Resource, ResourceKey(row), resource.Metadata.Uid, ct);
            await api.Delete(WorkspaceNamespace.Resource, NamespaceKey(row), ns.Metadata.Uid, ct);
            return ns;
        });

    /// <summary>Removes a namespace that belongs to a row that is deleted.</summary>
    public Task RemoveLeftoverAsync(Cluster cluster, WorkspaceNamespace ns, CancellationToken ct) =>
        CallAsync(cluster, api => api.Delete(
            WorkspaceNamespace.Resource, new ObjectKey("", ns.Metadata.Name), ns.Metadata.Uid, ct));

    private async Task<MattermostResource> WriteAsync(
        KubernetesApi api, ClusterInstallation row, WorkspaceNamespace? ns, CancellationToken ct)
    {
        var writes = Fenced(api, row);
        await WriteAsync(writes, Manifests.Namespace(row), ns, ct);
        // In a namespace that is new there is nothing to look at.
        var look = ns is null ? null : api;
        await Task.WhenAll(
            EnsureAsync(writes, look, Manifests.NetworkPolicy(row), ct),
            EnsureBudgetAsync(writes, look, row, ct),
            EnsureDatabaseSecretAsync(writes, api, row, isNew: ns is null, ct));
        var manifest = Manifests.Mattermost(row);
        var found = look is null ? null : await look.Find(MattermostResource.Resource, manifest.Key, ct);
        return await writes.WriteAsync(MattermostResource.Resource, manifest.Key, manifest.Document, found, ct);
    }

    private FencedWrites Fenced(KubernetesApi api, ClusterInstallation row) =>
        FencedWrites.Of(row, api, rows, time);

    private static async Task EnsureAsync(
        FencedWrites writes, KubernetesApi? look, Manifest manifest, CancellationToken ct) =>
        await WriteAsync(
            writes, manifest, look is null ? null : await look.Find(manifest.Kind, manifest.Key, ct), ct);

    private static Task<UnstructuredObject> WriteAsync(
        FencedWrites writes, Manifest manifest, IKubernetesObject<V1ObjectMeta>? found, CancellationToken ct) =>
        writes.WriteAsync(manifest.Kind, manifest.Key, manifest.Document, found, ct);

    private static async Task EnsureBudgetAsync(
        FencedWrites writes, KubernetesApi? look, ClusterInstallation row, CancellationToken ct)
    {
        if (Manifests.PodDisruptionBudget(row) is { } budget)
            await EnsureAsync(writes, look, budget, ct);
        else if (look is not null && await look.Find(Manifests.PodDisruptionBudgets, ResourceKey(row), ct) is { } found)
            await writes.RemoveAsync(Manifests.PodDisruptionBudgets, found, ct);
    }

    /// <summary>
    /// The Secret is the only copy of the credentials, so it is filled once and left alone. Before a password is
    /// issued, which ends those before it, the empty Secret is marked with our epoch, and it is filled only as it was
    /// marked: if another worker was there in between, theirs may be the newer password, and ours goes nowhere. So a
    /// password that is in it is the last that was issued, wherever a worker was cut or paused.
    /// <para>Pods that run got theirs from a Secret that somebody removed, and cannot connect with it any more. They
    /// are replaced, one after the other. That is begun before the Secret is filled, so that whoever comes after a
    /// worker that was cut begins it too; new pods wait until there is something in it.</para>
    /// </summary>
    private async Task EnsureDatabaseSecretAsync(
        FencedWrites writes, KubernetesApi api, ClusterInstallation row, bool isNew, CancellationToken ct)
    {
        var key = new ObjectKey(row.Namespace, Manifests.DatabaseSecretName(row));
        var found = await api.Find(ResourceKinds.Secrets, key, ct);
        if (HasCredentials(found)) return;

        var marked = await WriteAsync(writes, Manifests.EmptyDatabaseSecret(row), found, ct);
        var issued = await credentials.IssueAsync(row, ct);
        if (!isNew) await ReplacePodsAsync(api, row, marked.Metadata.Uid, ct);
        var filled = Manifests.DatabaseSecret(row, issued.ConnectionString, issued.DataSource);
        await WriteAsync(writes, filled, marked, ct);
    }

    private static async Task ReplacePodsAsync(
        KubernetesApi api, ClusterInstallation row, string secretUid, CancellationToken ct)
    {
        try
        {
            await api.MergePatch(
                ResourceKinds.Deployments, ResourceKey(row), Manifests.PodsFor(secretUid), Manifests.FieldManager,
                subresource: null, ct);
        }
        catch (KubernetesApiException e) when (e.Kind == KubernetesErrorKind.NotFound)
        {
            // There are none yet.
        }
    }

    private static bool HasCredentials(V1Secret? secret) =>
        secret?.Data is { } data
        && data.ContainsKey(Manifests.ConnectionStringKey) && data.ContainsKey(Manifests.DataSourceKey);

    private static void RefuseForeign(WorkspaceNamespace? ns, ClusterInstallation row)
    {
        if (ns is not null && ns.InstallationId() != row.InstallationId)
            throw new StepException(
                ErrorReason.NamespaceTaken,
                $"The cluster has a namespace {row.Namespace} that is not this installation's. Remove or rename it.");
    }

    private async Task<T> CallAsync<T>(Cluster cluster, Func<KubernetesApi, Task<T>> call)
    {
        try
        {
            return await call(connections.To(cluster));
        }
        catch (KubernetesApiException e)
        {
            throw ClusterFailures.Of(e, cluster);
        }
    }

    private static ObjectKey NamespaceKey(ClusterInstallation row) => new("", row.Namespace);

    private static ObjectKey ResourceKey(ClusterInstallation row) => new(row.Namespace, row.ResourceName);
}
