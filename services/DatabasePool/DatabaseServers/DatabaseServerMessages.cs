using System.Globalization;
using Cloud.Requests;
using Cloud.ServiceDefaults.Storage;
using Google.Protobuf.WellKnownTypes;
using Proto = Cloud.Protos.DatabasePool.V1;
using Supervision = Cloud.Protos.Supervision.V1;

namespace Cloud.DatabaseServers;

/// <summary>Database servers as the API shows them. The password is never part of it.</summary>
internal static class DatabaseServerMessages
{
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
        Progress = server.ToProgress(),
        DatabaseCount = server.DatabaseCount,
        ServerVersion = server.ServerVersion,
        Reachable = server.Reachable,
        UnreachableReason = server.UnreachableReason,
        CreateTime = server.CreateTime.ToTimestamp(),
        UpdateTime = server.UpdateTime.ToTimestamp(),
        DeleteTime = server.State == DatabaseServerState.Deleted ? server.StateSince.ToTimestamp() : null,
        Etag = server.Etag(),
    };

    /// <summary>Where it stands and what an operator can do about it.</summary>
    public static Supervision.Explanation Explain(this DatabaseServer server)
    {
        var explanation = new Supervision.Explanation
        {
            Resource = server.Name,
            Service = SupervisionMessages.ServiceName,
            State = StateNames<DatabaseServerState>.Of(server.State),
            Summary = Summary(server),
            Progress = server.ToProgress(),
            Owner = server.ClaimedBy ?? "",
        };
        explanation.Advice.AddRange(Advice(server));
        return explanation;
    }

    private static string Summary(DatabaseServer server) => server.State switch
    {
        DatabaseServerState.ProvisioningRequested => "Being asked whether it answers and what its role may do.",
        DatabaseServerState.ProvisioningFailed => server.LastError ?? "It failed its check.",
        DatabaseServerState.Stable when !server.Reachable => server.UnreachableReason,
        DatabaseServerState.Stable when server.DatabaseCount >= server.MaxDatabases => Counted(server, "It is full"),
        DatabaseServerState.Stable when !server.AllowDatabases => Counted(server, "It takes no new databases"),
        DatabaseServerState.Stable => Counted(server, "It takes new databases"),
        DatabaseServerState.DeletionRequested => "Being let go.",
        DatabaseServerState.Deleted => "It was let go; nothing is known of it any more.",
    };

    private static string Counted(DatabaseServer server, string what) => string.Create(
        CultureInfo.InvariantCulture, $"{what}: {server.DatabaseCount} of {server.MaxDatabases} databases.");

    private static IEnumerable<string> Advice(DatabaseServer server)
    {
        if (server.State == DatabaseServerState.Stable && !server.Reachable)
        {
            yield return $"Start PostgreSQL at {server.Host}:{server.Port}, or update host and port.";
        }

        if (server.State == DatabaseServerState.Stable && server.DatabaseCount >= server.MaxDatabases)
        {
            yield return "Raise max_databases, or register another server.";
        }

        if (server.OpenDatabases.Length > 0)
        {
            yield return $"Every role of this server may connect to: {server.OpenDatabases}. "
                + "Run REVOKE CONNECT ON DATABASE ... FROM PUBLIC for them.";
        }
    }
}
