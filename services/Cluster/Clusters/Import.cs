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
public sealed class Import(ClusterConnections connections, TimeProvider time)
{
    /// <summary>creation-requested, provisioning-requested: knock and look inside.</summary>
    public async Task<ClusterOutcome> ConnectAsync(Cluster row, CancellationToken ct)
    {
        var api = connections.To(row);
        try
        {
            // Reading nodes is the first right that a stranger lacks.
            await api.ListPage(ObservedNode.Resource, new Selection(), limit: 1, continuation: null, ct);
            var version = await VersionAsync(api, ct);
            return Go(ProvisionInProgress, $"it answers as Kubernetes {version}",
                row with { FirstWriteTime = row.FirstWriteTime ?? time.GetUtcNow() });
        }
        catch (KubernetesApiException e)
        {
            throw ClusterFailures.OfImport(e, row);
        }
    }

    /// <summary>The version that an API server reports.</summary>
    internal static async Task<string> VersionAsync(KubernetesApi api, CancellationToken ct)
    {
        try
        {
            return (await api.Client.Version.GetCodeAsync(ct)).GitVersion;
        }
        catch (Exception e) when (!ct.IsCancellationRequested && KubernetesApiException.From(e) is { } failure)
        {
            throw failure;
        }
    }
}
