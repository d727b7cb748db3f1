using Cloud.Providers;
using Cloud.Watching;
using k8s;
using k8s.Models;
using static Cloud.Clusters.ClusterState;
using static Cloud.ServiceDefaults.Supervision.Outcome;

namespace Cloud.Clusters;

/// <summary>
/// deletion-requested -> deleted: our operator is taken out and the cluster let go. Only what bears our mark goes. The
/// resource definition stays, because its removal would remove every <c>Mattermost</c> resource in the cluster, ours or
/// not.
/// </summary>
public sealed class Deletion(ClusterConnections connections, TimeProvider time)
{
    private static readonly ObjectKey ClusterWide = new("", OperatorManifests.Name);

    private static readonly TimeSpan NamespaceWait = TimeSpan.FromSeconds(10);

    /// <summary>deletion-requested: remove what we installed.</summary>
    public async Task<ClusterOutcome> LetGoAsync(Cluster row, CancellationToken ct)
    {
        if (row.FirstWriteTime is null) return Gone(row, "nothing was ever installed in it");
        var api = connections.To(row);
        try
        {
            await RemoveOursAsync(api, ResourceKinds.ClusterRoleBindings, ClusterWide, ct);
            await RemoveOursAsync(api, ResourceKinds.ClusterRoles, ClusterWide, ct);
            var ns = await api.Find(WorkspaceNamespace.Resource, ClusterWide, ct);
            if (ns is null) return Gone(row, "the operator is out of it");
            if (!OperatorManifests.IsOurs(ns))
            {
                await RemoveOursAsync(api, ResourceKinds.Deployments, OperatorManifests.DeploymentKey, ct);
                await RemoveOursAsync(api, ResourceKinds.ServiceAccounts, OperatorManifests.DeploymentKey, ct);
                return Gone(row, "the operator is out of it; its namespace was there before and stays");
            }
            if (!ns.IsTerminating) await api.Delete(WorkspaceNamespace.Resource, ClusterWide, ns.Metadata.Uid, ct);
            return Wait("the operator's namespace is being removed", NamespaceWait);
        }
        catch (KubernetesApiException e)
        {
            throw ClusterFailures.Of(e, row);
        }
    }

    private static async Task RemoveOursAsync<T>(
        KubernetesApi api, ResourceKind<T> kind, ObjectKey key, CancellationToken ct)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        if (await api.Find(kind, key, ct) is { } live && OperatorManifests.IsOurs(live))
            await api.Delete(kind, key, live.Metadata.Uid, ct);
    }

    private ClusterOutcome Gone(Cluster row, string why)
    {
        connections.Forget(row.Id);
        return Go(Deleted, why, row with { DeleteTime = time.GetUtcNow(), EncryptedKubeconfig = [] });
    }
}
