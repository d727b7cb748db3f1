using Cloud.Providers;
using Cloud.Watching;
using static Cloud.Clusters.ClusterState;
using static Cloud.ServiceDefaults.Supervision.Outcome;

namespace Cloud.Clusters;

/// <summary>
/// deletion-requested -> deleted: our operator is taken out and the cluster let go. The resource definition stays,
/// because its removal would remove every <c>Mattermost</c> resource in the cluster, ours or not.
/// </summary>
public sealed class Deletion(ClusterConnections connections, TimeProvider time)
{
    private static readonly TimeSpan NamespaceWait = TimeSpan.FromSeconds(10);

    /// <summary>deletion-requested: remove what we installed.</summary>
    public async Task<ClusterOutcome> LetGoAsync(Cluster row, CancellationToken ct)
    {
        if (row.FirstWriteTime is null) return Gone(row, "nothing was ever installed in it");
        var api = connections.To(row);
        try
        {
            await api.Delete(ResourceKinds.ClusterRoleBindings, new ObjectKey("", OperatorManifests.Name), null, ct);
            await api.Delete(ResourceKinds.ClusterRoles, new ObjectKey("", OperatorManifests.Name), null, ct);
            var key = new ObjectKey("", OperatorManifests.Name);
            var ns = await api.Find(WorkspaceNamespace.Resource, key, ct);
            if (ns is null) return Gone(row, "the operator is out of it");
            if (!ns.IsTerminating) await api.Delete(WorkspaceNamespace.Resource, key, ns.Metadata.Uid, ct);
            return Wait("the operator's namespace is being removed", NamespaceWait);
        }
        catch (KubernetesApiException e)
        {
            throw ClusterFailures.Of(e, row);
        }
    }

    private ClusterOutcome Gone(Cluster row, string why)
    {
        connections.Forget(row.Id);
        return Go(Deleted, why, row with { DeleteTime = time.GetUtcNow(), EncryptedKubeconfig = [] });
    }
}
