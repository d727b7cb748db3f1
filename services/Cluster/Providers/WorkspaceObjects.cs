using Cloud.ClusterInstallations;
using Cloud.Clusters;
using Cloud.Watching;
using k8s;
using k8s.Models;

namespace Cloud.Providers;

/// <summary>
/// An installation's objects in its cluster: writes them, reads what became of them, removes them.
/// <para>Every write is preceded by a look, refused when what is there bears a higher epoch than the row's, and sent
/// with what was seen as its precondition: missing objects are created, which fails where somebody was faster, and
/// others are changed only as they were seen. So a worker that was paused anywhere cannot overwrite what its successor
/// wrote. Two things it can still do, and both are undone by <see cref="Drift"/>: make the namespace anew after a
/// deletion (nothing is left there to compare with), and overwrite a resource that its successor made while it slept
/// between finding none and writing its own (apply has no precondition for absence, and creating by other means would
/// lose track of the fields that are ours).</para>
/// <para>Failures are <see cref="StepException"/>s.</para>
/// </summary>
public sealed class WorkspaceObjects(ClusterConnections connections, DatabaseCredentials credentials)
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
            Refuse(ns, row);
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
            RefuseStale(ns, row);
            // The resource first, so that the operator does not mend what the namespace takes down with it.
            if (await api.Find(MattermostResource.Resource, ResourceKey(row), ct) is { } resource)
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
        // In a namespace that is new there is nothing to look at.
        var isNew = ns is null;
        await WriteAsync(api, row, Manifests.Namespace(row), ns, ct);
        await Task.WhenAll(
            EnsureAsync(api, row, Manifests.NetworkPolicy(row), isNew, ct),
            EnsureBudgetAsync(api, row, isNew, ct),
            EnsureDatabaseSecretAsync(api, row, ct));
        var manifest = Manifests.Mattermost(row);
        var found = isNew ? null : await api.Find(MattermostResource.Resource, manifest.Key, ct);
        return await ApplyAsync(api, row, MattermostResource.Resource, manifest, found, ct);
    }

    private static async Task EnsureAsync(
        KubernetesApi api, ClusterInstallation row, Manifest manifest, bool isNew, CancellationToken ct) =>
        await WriteAsync(
            api, row, manifest, isNew ? null : await api.Find(manifest.Kind, manifest.Key, ct), ct);

    /// <summary>Creates what was not there, or changes what was, as it was.</summary>
    private static async Task WriteAsync(
        KubernetesApi api, ClusterInstallation row, Manifest manifest, IKubernetesObject<V1ObjectMeta>? found,
        CancellationToken ct)
    {
        if (found is null)
        {
            manifest.Document["metadata"]!.AsObject().Remove("resourceVersion");
            await api.Create(manifest.Kind, manifest.Key, manifest.Document, Manifests.FieldManager, ct);
        }
        else
            await ApplyAsync(api, row, manifest.Kind, manifest, found, ct);
    }

    private static async Task<T> ApplyAsync<T>(
        KubernetesApi api, ClusterInstallation row, ResourceKind<T> kind, Manifest manifest,
        IKubernetesObject<V1ObjectMeta>? found, CancellationToken ct)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        if (found is not null)
        {
            if (found.Epoch() > row.Epoch) throw Stale(row, found.Epoch());
            manifest.Document["metadata"]!["resourceVersion"] = found.Metadata.ResourceVersion;
        }
        return await api.Apply<T>(
            kind, manifest.Key, manifest.Document, Manifests.FieldManager, force: true, subresource: null, ct);
    }

    private static async Task EnsureBudgetAsync(
        KubernetesApi api, ClusterInstallation row, bool isNew, CancellationToken ct)
    {
        if (Manifests.PodDisruptionBudget(row) is { } budget)
            await EnsureAsync(api, row, budget, isNew, ct);
        else if (!isNew && await api.Find(Manifests.PodDisruptionBudgets, ResourceKey(row), ct) is { } found)
        {
            if (found.Epoch() > row.Epoch) throw Stale(row, found.Epoch());
            await api.DeleteAsSeen(Manifests.PodDisruptionBudgets, found, ct);
        }
    }

    /// <summary>
    /// The Secret is the only copy of the credentials, so it is written once and left alone. One that is in the way was
    /// written by another worker meanwhile: with a lower epoch its password ended when ours was issued, so ours goes
    /// in;
    /// with a higher one ours has ended, and this worker is the stale one.
    /// </summary>
    private async Task EnsureDatabaseSecretAsync(KubernetesApi api, ClusterInstallation row, CancellationToken ct)
    {
        var key = new ObjectKey(row.Namespace, Manifests.DatabaseSecretName(row));
        var found = await api.Find(ResourceKinds.Secrets, key, ct);
        if (HasCredentials(found)) return;

        var issued = await credentials.IssueAsync(row, ct);
        var manifest = Manifests.DatabaseSecret(row, issued.ConnectionString, issued.DataSource);
        try
        {
            await WriteAsync(api, row, manifest, found, ct);
        }
        catch (KubernetesApiException e) when (
            e.Kind is KubernetesErrorKind.AlreadyExists or KubernetesErrorKind.Conflict)
        {
            await WriteAsync(api, row, manifest, await api.Find(ResourceKinds.Secrets, key, ct), ct);
        }
    }

    private static bool HasCredentials(V1Secret? secret) =>
        secret?.Data is { } data
        && data.ContainsKey(Manifests.ConnectionStringKey) && data.ContainsKey(Manifests.DataSourceKey);

    private static void Refuse(WorkspaceNamespace? ns, ClusterInstallation row)
    {
        if (ns is null) return;
        if (ns.InstallationId() != row.InstallationId)
            throw new StepException(
                "NAMESPACE_TAKEN",
                $"The cluster has a namespace {row.Namespace} that is not this installation's. Remove or rename it.",
                Fault.Operator, retryable: false);
        RefuseStale(ns, row);
    }

    private static void RefuseStale(WorkspaceNamespace ns, ClusterInstallation row)
    {
        // The epochs of different rows cannot be compared.
        if (ns.ClusterInstallationId() == row.Id && ns.Epoch() > row.Epoch) throw Stale(row, ns.Epoch());
    }

    private static StepException Stale(ClusterInstallation row, long epoch) => new(
        "STALE_EPOCH", $"A later worker (epoch {epoch}) has written already; this one has {row.Epoch}.",
        Fault.World, retryable: true);

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
