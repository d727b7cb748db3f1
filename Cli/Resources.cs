using Cloud.Protos.Supervision.V1;
using Google.Protobuf;

namespace Cloud.Cli;

/// <summary>Verbs that every resource has, for whichever a person names.</summary>
internal static class Resources
{
    /// <summary>Why it is where it is; a text that is no resource name means a workspace.</summary>
    public static async Task<(IMessage Whole, IEnumerable<Explanation> Chain)> WhyAsync(
        Session session, string words, CancellationToken ct)
    {
        switch (CollectionOf(words))
        {
            case "clusters":
                var cluster = await session.Clusters.WhyClusterAsync(new() { Name = words }, cancellationToken: ct);
                return (cluster, cluster.Chain);
            case "clusterInstallations":
                var made = await session.ClusterInstallations.WhyClusterInstallationAsync(
                    new() { Name = words }, cancellationToken: ct);
                return (made, made.Chain);
            case "databaseServers":
                var server = await session.DatabaseServers.WhyDatabaseServerAsync(
                    new() { Name = words }, cancellationToken: ct);
                return (server, server.Chain);
            case "logicalDatabases":
                var database = await session.LogicalDatabases.WhyLogicalDatabaseAsync(
                    new() { Name = words }, cancellationToken: ct);
                return (database, database.Chain);
            case "webhooks":
                var webhook = await session.Webhooks.WhyWebhookAsync(new() { Name = words }, cancellationToken: ct);
                return (webhook, webhook.Chain);
            default:
                var installation = await Lookup.InstallationAsync(session, words, ct);
                var why = await session.Installations.WhyInstallationAsync(
                    new() { Name = installation.Name }, cancellationToken: ct);
                return (why, why.Chain);
        }
    }

    /// <summary>Tries again what failed; null when the words mean a workspace. Of a webhook that is what was not
    /// delivered.</summary>
    public static async Task<IMessage?> RetryAsync(
        Session session, string words, string requestId, CancellationToken ct) => CollectionOf(words) switch
    {
        "clusters" => await session.Clusters.RetryClusterAsync(
            new() { Name = words, RequestId = requestId }, cancellationToken: ct),
        "clusterInstallations" => await session.ClusterInstallations.RetryClusterInstallationAsync(
            new() { Name = words, RequestId = requestId }, cancellationToken: ct),
        "databaseServers" => await session.DatabaseServers.RetryDatabaseServerAsync(
            new() { Name = words, RequestId = requestId }, cancellationToken: ct),
        "logicalDatabases" => await session.LogicalDatabases.RetryLogicalDatabaseAsync(
            new() { Name = words, RequestId = requestId }, cancellationToken: ct),
        "webhooks" => await session.Webhooks.EnableWebhookAsync(
            new() { Name = words, RequestId = requestId }, cancellationToken: ct),
        _ => null,
    };

    private static string CollectionOf(string words) =>
        words.Split('/') is [var collection, _] ? collection : "";
}
