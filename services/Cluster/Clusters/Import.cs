using Cloud.Providers;
using Cloud.Watching;
using k8s;
using static Cloud.Clusters.ClusterState;
using static Cloud.ServiceDefaults.Supervision.Outcome;

namespace Cloud.Clusters;

/// <summary>
/// creation-requested, provisioning-requested -> provision-in-progress: the cluster answers, and lets us in. Silence
/// may
/// pass and is tried again for a while; being turned away does not and is final until there are new credentials.
/// </summary>
public sealed class Import(ClusterConnections connections, ClusterStore clusters, TimeProvider time)
{
    private static readonly ObjectKey SystemNamespace = new("", "kube-system");

    /// <summary>creation-requested, provisioning-requested: knock and look inside.</summary>
    public async Task<ClusterOutcome> ConnectAsync(Cluster row, CancellationToken ct)
    {
        var api = connections.To(row);
        try
        {
            // Reading nodes is the first right that a stranger lacks.
            await api.ListPage(ObservedNode.Resource, new Selection(), limit: 1, continuation: null, ct);
            var version = await VersionAsync(api, ct);
            var uid = await UidAsync(api, ct);
            await RefuseTwinAsync(row, uid, ct);
            return Go(ProvisionInProgress, $"it answers as Kubernetes {version}",
                row with { Uid = uid, FirstWriteTime = row.FirstWriteTime ?? time.GetUtcNow() });
        }
        catch (KubernetesApiException e)
        {
            throw ClusterFailures.OfImport(e, row);
        }
    }

    private static async Task<string> UidAsync(KubernetesApi api, CancellationToken ct) =>
        (await api.Find(WorkspaceNamespace.Resource, SystemNamespace, ct))?.Metadata.Uid
        ?? throw new StepException(
            ErrorReason.ClusterLacksSystemNamespace,
            $"It has no namespace {SystemNamespace.Name}, by whose UID clusters are told apart.");

    /// <summary>Two rows of one cluster would place into the same nodes, each as if they were its own. Of two imports
    /// at once the unique index lets one be saved; the other is run again and finds it here.</summary>
    private async Task RefuseTwinAsync(Cluster row, string uid, CancellationToken ct)
    {
        if (await clusters.FindByUidAsync(uid, ct) is { } twin && twin.Id != row.Id)
            throw new StepException(
                ErrorReason.ClusterAlreadyImported,
                $"{row.Server} leads to {twin.DisplayName} ({twin.Name}), which was imported already. Delete this one, "
                + "or give it the kubeconfig of another cluster.");
    }

    /// <summary>The version that an API server reports.</summary>
    internal static async Task<string> VersionAsync(KubernetesApi api, CancellationToken ct)
    {
        try
        {
            return (await api.Client.Version.GetCodeAsync(ct)).GitVersion;
        }
        catch (Exception e) when (!ct.IsCancellationRequested && KubernetesApiException.From(e, ct) is { } failure)
        {
            throw failure;
        }
    }
}
