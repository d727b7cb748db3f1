using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Cloud.Clusters;
using Cloud.Watching;
using Microsoft.AspNetCore.DataProtection;

namespace Cloud.Providers;

/// <summary>
/// Ways to the API servers of the application clusters, one connection pool per cluster, made when first needed from
/// the encrypted kubeconfig in its row. A row with a newer kubeconfig gets a new connection; the old one is left to
/// whoever still uses it. Safe for concurrent use.
/// </summary>
public sealed class ClusterConnections(
    IDataProtectionProvider protection, Checkpoints checkpoints, TimeProvider time) : IDisposable
{
    private readonly IDataProtector _protector = protection.CreateProtector("cluster.kubeconfig");
    private readonly ConcurrentDictionary<string, Connection> _connections = new(StringComparer.Ordinal);

    /// <summary>The kubeconfig as it may be stored.</summary>
    public byte[] Encrypt(Kubeconfig kubeconfig) => _protector.Protect(Encoding.UTF8.GetBytes(kubeconfig.Document));

    /// <summary>The API server of a cluster. Nothing is sent yet.</summary>
    /// <exception cref="StepException">The kubeconfig cannot be decrypted: the keys of this service were
    /// lost.</exception>
    public KubernetesApi To(Cluster cluster) => _connections.AddOrUpdate(
        cluster.Id,
        _ => Open(cluster),
        (_, open) => open.Revision == cluster.KubeconfigRevision ? open : Open(cluster)).Api;

    /// <summary>Drops the connection of a cluster that was let go.</summary>
    public void Forget(string clusterId) => _connections.TryRemove(clusterId, out _);

    public void Dispose()
    {
        foreach (var connection in _connections.Values) connection.Api.Dispose();
    }

    private Connection Open(Cluster cluster)
    {
        try
        {
            var document = Encoding.UTF8.GetString(_protector.Unprotect(cluster.EncryptedKubeconfig));
            return new Connection(
                cluster.KubeconfigRevision,
                KubernetesClients.FromKubeconfig(
                    document, context: null, time, new CallPlaces(checkpoints, "kubernetes")));
        }
        catch (Exception e) when (e is CryptographicException or InvalidKubeconfigException)
        {
            throw new StepException(
                ErrorReason.KubeconfigUnreadable,
                $"The stored kubeconfig of {cluster.DisplayName} cannot be used ({e.Message}). Give it again with "
                + "UpdateCluster; if all clusters are affected, restore the data protection keys.",
                e);
        }
    }

    private sealed record Connection(int Revision, KubernetesApi Api);
}
