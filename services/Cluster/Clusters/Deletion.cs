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
public sealed class Deletion(ClusterConnections connections, ClusterStore clusters, TimeProvider time)
{
    private static readonly ObjectKey ClusterWide = new("", OperatorManifests.Name);

    /// <summary>Nothing watches the operator's namespace: it goes once in the life of a cluster, and a look is four
    /// reads.</summary>
    private static readonly TimeSpan NamespaceWait = TimeSpan.FromSeconds(2);

    /// <summary>deletion-requested: remove what we installed.</summary>
    public async Task<ClusterOutcome> LetGoAsync(Cluster row, CancellationToken ct)
    {
        if (row.FirstWriteTime is null) return Gone(row, "nothing was ever installed in it");
        var api = connections.To(row);
        var writes = FencedWrites.Of(row, api, clusters, time);
        try
        {
            await RemoveOursAsync(ResourceKinds.ClusterRoleBindings, ClusterWide);
            await RemoveOursAsync(ResourceKinds.ClusterRoles, ClusterWide);
            var ns = await api.Find(WorkspaceNamespace.Resource, ClusterWide, ct);
            if (ns is null) return Gone(row, "the operator is out of it");
            if (!OperatorManifests.IsOurs(ns))
            {
                await RemoveOursAsync(ResourceKinds.Deployments, OperatorManifests.DeploymentKey);
                await RemoveOursAsync(ResourceKinds.ServiceAccounts, OperatorManifests.DeploymentKey);
                return Gone(row, "the operator is out of it; its namespace was there before and stays");
            }
            if (!ns.IsTerminating) await writes.RemoveAsync(WorkspaceNamespace.Resource, ns, ct);
            return Wait("the operator's namespace is being removed", NamespaceWait);
        }
        catch (KubernetesApiException e)
        {
            throw ClusterFailures.Of(e, row);
        }

        async Task RemoveOursAsync<T>(ResourceKind<T> kind, ObjectKey key)
            where T : class, IKubernetesObject<V1ObjectMeta>
        {
            if (await api.Find(kind, key, ct) is { } live && OperatorManifests.IsOurs(live)
                && !await writes.RemoveAsync(kind, live, ct))
                throw new StepException(
                    ErrorReason.ClusterConflict, $"{kind.Kind} {key} in {row.DisplayName} changes just now.");
        }
    }

    private ClusterOutcome Gone(Cluster row, string why)
    {
        connections.Forget(row.Id);
        return Go(Deleted, why, row with { DeleteTime = time.GetUtcNow(), EncryptedKubeconfig = [] });
    }
}
