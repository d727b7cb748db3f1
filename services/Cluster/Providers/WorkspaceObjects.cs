using Cloud.ClusterInstallations;
using Cloud.Clusters;
using Cloud.Watching;
using k8s.Models;

namespace Cloud.Providers;

/// <summary>
/// An installation's objects in its cluster: writes them, reads what became of them, removes them.
/// <para>Every write is preceded by a look at the epoch on the namespace, and refused when that is higher than the
/// row's: a worker that was paused cannot overwrite what its successor wrote. Between look and write a gap remains;
/// what slips through there after a deletion is found by <see cref="Drift"/>, which removes namespaces whose row says
/// deleted.</para>
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
                return await WriteAsync(api, row, ct);
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
            await api.Delete(MattermostResource.Resource, ResourceKey(row), uid: null, ct);
            await api.Delete(WorkspaceNamespace.Resource, NamespaceKey(row), ns.Metadata.Uid, ct);
            return ns;
        });

    /// <summary>Removes a namespace that belongs to a row that is deleted.</summary>
    public Task RemoveLeftoverAsync(Cluster cluster, WorkspaceNamespace ns, CancellationToken ct) =>
        CallAsync(cluster, api => api.Delete(
            WorkspaceNamespace.Resource, new ObjectKey("", ns.Metadata.Name), ns.Metadata.Uid, ct));

    private async Task<MattermostResource> WriteAsync(KubernetesApi api, ClusterInstallation row, CancellationToken ct)
    {
        await ApplyAsync(api, Manifests.Namespace(row), ct);
        await Task.WhenAll(
            ApplyAsync(api, Manifests.NetworkPolicy(row), ct),
            EnsureBudgetAsync(api, row, ct),
            EnsureDatabaseSecretAsync(api, row, ct));
        var manifest = Manifests.Mattermost(row);
        return await api.Apply<MattermostResource>(
            MattermostResource.Resource, manifest.Key, manifest.Document, Manifests.FieldManager, force: true,
            subresource: null, ct);
    }

    private static async Task ApplyAsync(KubernetesApi api, Manifest manifest, CancellationToken ct) =>
        await api.Apply<UnstructuredObject>(
            manifest.Kind, manifest.Key, manifest.Document, Manifests.FieldManager, force: true, subresource: null, ct);

    private static async Task EnsureBudgetAsync(KubernetesApi api, ClusterInstallation row, CancellationToken ct)
    {
        if (Manifests.PodDisruptionBudget(row) is { } budget)
            await ApplyAsync(api, budget, ct);
        else
            await api.Delete(Manifests.PodDisruptionBudgets, ResourceKey(row), uid: null, ct);
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
        var now = await api.Find(ResourceKinds.Secrets, key, ct);
        if (now is not null && now.Epoch() > row.Epoch) throw Stale(row, now.Epoch());
        await ApplyAsync(api, manifest, ct);
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
