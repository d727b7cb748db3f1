using Cloud.ClusterInstallations;
using Cloud.Protos.DatabasePool.V1;

namespace Cloud.Providers;

/// <summary>The database-pool service, as far as this one needs it.</summary>
public sealed class DatabaseCredentials(LogicalDatabaseService.LogicalDatabaseServiceClient databases)
{
    /// <summary>
    /// A new password for the installation's role, with the ways to connect. Former ones end with it, so it is asked
    /// for only when the cluster has none. The row's epoch keeps a worker that slept from doing so later.
    /// </summary>
    public async Task<LogicalDatabaseCredentials> IssueAsync(ClusterInstallation row, CancellationToken ct) =>
        await databases.IssueLogicalDatabaseCredentialsAsync(
            new IssueLogicalDatabaseCredentialsRequest
            {
                Name = row.Spec.LogicalDatabase, HolderEpoch = row.Epoch,
            },
            cancellationToken: ct);
}
