using Cloud.Protos.Cluster.V1;
using Cloud.Protos.DatabasePool.V1;
using Cloud.Protos.Supervision.V1;
using Grpc.Core;
using static Cloud.Installations.InstallationState;
using Fault = Cloud.ServiceDefaults.Supervision.Fault;

namespace Cloud.Installations;

/// <summary>Why an installation is where it is, followed into the service that it waits for. A service that does not
/// answer is a link of the chain and not an error: it is then the reason.</summary>
public sealed class InstallationWhy(
    ClusterService.ClusterServiceClient clusters,
    ClusterInstallationService.ClusterInstallationServiceClient clusterInstallations,
    LogicalDatabaseService.LogicalDatabaseServiceClient databases)
{
    /// <summary>From the installation down to what is really awaited.</summary>
    public async Task<IReadOnlyList<Explanation>> ExplainAsync(Installation row, CancellationToken ct)
    {
        var own = new Explanation
        {
            Resource = row.Name,
            Service = "installation",
            State = StateNames<InstallationState>.Of(row.State),
            Summary = SummaryOf(row),
            Progress = InstallationMessages.ProgressOf(row),
            Owner = row.ClaimedBy ?? "",
            Advice = { AdviceOf(row) },
        };
        return [own, .. await FollowAsync(row, ct)];
    }

    private async Task<IEnumerable<Explanation>> FollowAsync(Installation row, CancellationToken ct)
    {
        switch (row.State)
        {
            case CreationPreProvisioning or DeletionFinalCleanup when row.LogicalDatabase is { } database:
                return await AskAsync("database-pool", database, async () => (await databases.WhyLogicalDatabaseAsync(
                    new WhyLogicalDatabaseRequest { Name = database }, cancellationToken: ct)).Chain, ct);
            case CreationInProgress or UpdateRequested or UpdateInProgress or UpdateFailed or WakeUpRequested
                or HibernationRequested or HibernationInProgress
                or DeletionPendingRequested or DeletionPendingInProgress
                or DeletionCancellationRequested or DeletionRequested or DeletionInProgress or CreationFailed
                or DeletionFailed when row.ClusterInstallation is { } made:
                var why = new WhyClusterInstallationRequest { Name = made };
                return await AskAsync("cluster", made, async () => (await clusterInstallations
                    .WhyClusterInstallationAsync(why, cancellationToken: ct)).Chain, ct);
            case CreationInProgress when row.Cluster is { } cluster:
                return await AskAsync("cluster", cluster, async () => (await clusters.WhyClusterAsync(
                    new WhyClusterRequest { Name = cluster }, cancellationToken: ct)).Chain, ct);
            default:
                return [];
        }
    }

    private static async Task<IEnumerable<Explanation>> AskAsync(
        string service, string resource, Func<Task<IEnumerable<Explanation>>> ask, CancellationToken ct)
    {
        try
        {
            return await ask();
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            return
            [
                new Explanation
                {
                    Resource = resource,
                    Service = service,
                    Summary = $"The {service} service could not say ({e.StatusCode}): {e.Status.Detail}",
                    Advice = { $"See whether the {service} service runs and is healthy." },
                },
            ];
        }
    }

    private static string SummaryOf(Installation row)
    {
        if (row.LastError is { } error)
        {
            return row.NextAttemptAt is { } next
                ? $"The last of {row.Attempts} tries failed: {error} The next one is at {next:u}."
                : $"It failed: {error}";
        }

        if (row.WaitingFor is { } awaited)
        {
            return $"It waits: {awaited}.";
        }

        return row.State switch
        {
            Stable => "It runs; nothing is awaited.",
            Hibernating => "It is stopped until somebody wakes it up.",
            Deleted => "It is deleted; nothing of it is left.",
            CreationFailed or UpdateFailed or DeletionFailed => "It failed and does not say why.",
            _ => "Its next step runs or is about to.",
        };
    }

    private static IEnumerable<string> AdviceOf(Installation row)
    {
        if (row.LastErrorFault == Fault.Operator)
        {
            yield return "An operator of this cloud has to act: " + row.LastErrorCode;
        }

        var advice = row.State switch
        {
            CreationNoCompatibleClusters =>
                "Make room: import a cluster, allow installations in one, raise its threshold or delete installations. "
                + "It is looked for again by itself; RetryInstallation looks at once.",
            CreationPreProvisioning when row.LogicalDatabase is null && row.WaitingFor is not null =>
                "Make room: register a database server or raise the limit of one.",
            CreationFailed => "RetryInstallation begins again from nothing; DeleteInstallation removes it.",
            UpdateFailed => "UpdateInstallation with what works, or RetryInstallation.",
            DeletionFailed => "Remove the cause and use RetryInstallation.",
            Hibernating => "WakeUpInstallation starts it.",
            DeletionPending => $"CancelInstallationDeletion takes the deletion back until {row.PurgeTime:u}.",
            _ => null,
        };
        if (advice is not null)
        {
            yield return advice;
        }
    }
}
