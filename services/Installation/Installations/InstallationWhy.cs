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
    private const string Service = "installation";

    /// <summary>From the installation down to what is really awaited: what it is made of is asked whatever its state,
    /// because what a row at rest rests on may have failed since.</summary>
    public async Task<IReadOnlyList<Explanation>> ExplainAsync(Installation row, CancellationToken ct)
    {
        var own = SupervisionMessages.Explain(row, Service, row.Name, AtRest(row), AdviceOf(row));
        if (row.State == Deleted)
        {
            return [own];
        }

        var parts = await Task.WhenAll(InClusterAsync(row, ct), InDatabaseAsync(row, ct));
        var busyFirst = parts.OrderByDescending(part => part.Any(link => link.Progress?.NextAttemptTime is not null));
        return [own, .. SupervisionMessages.Beneath(busyFirst.SelectMany(part => part))];
    }

    private async Task<IReadOnlyList<Explanation>> InClusterAsync(Installation row, CancellationToken ct) => row switch
    {
        { ClusterInstallation: { } made } => await AskAsync(
            "cluster",
            made,
            async () => (await clusterInstallations.WhyClusterInstallationAsync(
                new WhyClusterInstallationRequest { Name = made }, cancellationToken: ct)).Chain,
            ct),
        { Cluster: { } cluster, State: CreationInProgress } => await AskAsync(
            "cluster",
            cluster,
            async () => (await clusters.WhyClusterAsync(
                new WhyClusterRequest { Name = cluster }, cancellationToken: ct)).Chain,
            ct),
        _ => [],
    };

    private async Task<IReadOnlyList<Explanation>> InDatabaseAsync(Installation row, CancellationToken ct) => row switch
    {
        { LogicalDatabase: { } database } => await AskAsync(
            "database-pool",
            database,
            async () => (await databases.WhyLogicalDatabaseAsync(
                new WhyLogicalDatabaseRequest { Name = database }, cancellationToken: ct)).Chain,
            ct),
        _ => [],
    };

    private static async Task<IReadOnlyList<Explanation>> AskAsync(
        string service, string resource, Func<Task<IReadOnlyList<Explanation>>> ask, CancellationToken ct)
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

    private static string? AtRest(Installation row) => row.State switch
    {
        Stable => "It runs; nothing is awaited.",
        Hibernating => "It is stopped until somebody wakes it up.",
        Deleted => "It is deleted; nothing of it is left.",
        CreationFailed or UpdateFailed or DeletionFailed => "It failed and does not say why.",
        _ => null,
    };

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
