using System.Globalization;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Google.Protobuf.WellKnownTypes;
using Proto = Cloud.Protos.DatabasePool.V1;
using Supervision = Cloud.Protos.Supervision.V1;

namespace Cloud.DatabaseServers;

/// <summary>Database servers as the API shows them. The password is never part of it.</summary>
internal static class DatabaseServerMessages
{
    /// <summary>This service's name in explanations.</summary>
    public const string ServiceName = "database-pool";

    /// <summary>The row's etag.</summary>
    public static string Etag(this DatabaseServer server) => server.Version.ToString(CultureInfo.InvariantCulture);

    /// <summary>The row as a message.</summary>
    public static Proto.DatabaseServer ToProto(this DatabaseServer server) => new()
    {
        Name = server.Name,
        DisplayName = server.DisplayName,
        Host = server.Host,
        Port = server.Port,
        AdminUser = server.AdminUser,
        MaxDatabases = server.MaxDatabases,
        Weight = server.Weight,
        AllowDatabases = server.AllowDatabases,
        SslMode = server.SslMode,
        State = StateNames<DatabaseServerState>.Of(server.State),
        Progress = SupervisionMessages.ProgressOf(server),
        DatabaseCount = server.DatabaseCount,
        ServerVersion = server.ServerVersion,
        Reachable = server.Reachable,
        UnreachableReason = server.UnreachableReason,
        CreateTime = server.CreateTime.ToTimestamp(),
        UpdateTime = server.UpdateTime.ToTimestamp(),
        DeleteTime = server.State == DatabaseServerState.Deleted ? server.StateSince.ToTimestamp() : null,
        LeftBehind = { server.LeftBehind },
        Etag = server.Etag(),
    };

    /// <summary>Where it stands and what an operator can do about it.</summary>
    public static Supervision.Explanation Explain(this DatabaseServer server) => SupervisionMessages.Explain(
        server, ServiceName, server.Name, AtRest(server), Advice(server));

    private static string? AtRest(DatabaseServer server) => server.State switch
    {
        DatabaseServerState.Stable when !server.Reachable => server.UnreachableReason,
        DatabaseServerState.Stable when server.DatabaseCount >= server.MaxDatabases => Counted(server, "It is full"),
        DatabaseServerState.Stable when !server.AllowDatabases => Counted(server, "It takes no new databases"),
        DatabaseServerState.Stable => Counted(server, "It takes new databases"),
        DatabaseServerState.Deleted when server.LeftBehind.Length > 0 =>
            $"It was forgotten while it did not answer. Left behind on it: {string.Join(", ", server.LeftBehind)}.",
        DatabaseServerState.Deleted => "It was let go; nothing is known of it any more.",
        _ => null,
    };

    private static string Counted(DatabaseServer server, string what) => string.Create(
        CultureInfo.InvariantCulture, $"{what}: {server.DatabaseCount} of {server.MaxDatabases} databases.");

    private static IEnumerable<string> Advice(DatabaseServer server)
    {
        if (server.State == DatabaseServerState.Stable && !server.Reachable)
        {
            yield return $"Start PostgreSQL at {server.Host}:{server.Port}, or update host and port. "
                + "If it will never answer again, DeleteDatabaseServer with force forgets it.";
        }

        if (server.State == DatabaseServerState.Stable && server.DatabaseCount >= server.MaxDatabases)
        {
            yield return "Raise max_databases, or register another server.";
        }

        if (server.State == DatabaseServerState.ProvisioningFailed)
        {
            yield return "Remove the cause, or UpdateDatabaseServer with what is right. "
                + "RetryDatabaseServer looks again at once.";
        }

        if (server.OpenDatabases.Length > 0)
        {
            yield return $"Every role of this server may connect to: {server.OpenDatabases}. "
                + "Run REVOKE CONNECT ON DATABASE ... FROM PUBLIC for them.";
        }
    }
}
