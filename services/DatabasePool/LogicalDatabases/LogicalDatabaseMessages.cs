using System.Globalization;
using Cloud.DatabaseServers;
using Cloud.Requests;
using Cloud.ServiceDefaults.Storage;
using Google.Protobuf.WellKnownTypes;
using Proto = Cloud.Protos.DatabasePool.V1;
using Supervision = Cloud.Protos.Supervision.V1;

namespace Cloud.LogicalDatabases;

/// <summary>Logical databases as the API shows them.</summary>
internal static class LogicalDatabaseMessages
{
    /// <summary>The row's etag.</summary>
    public static string Etag(this LogicalDatabase row) => row.Version.ToString(CultureInfo.InvariantCulture);

    /// <summary>The row as a message.</summary>
    public static Proto.LogicalDatabase ToProto(this LogicalDatabase row) => new()
    {
        Name = row.Name,
        Installation = row.Installation,
        DatabaseServer = DatabaseServer.NameOf(row.DatabaseServerId),
        DatabaseName = row.DatabaseName,
        RoleName = row.RoleName,
        ConnectionLimit = row.ConnectionLimit,
        State = StateNames<LogicalDatabaseState>.Of(row.State),
        Progress = row.ToProgress(),
        CreateTime = row.CreateTime.ToTimestamp(),
        UpdateTime = row.UpdateTime.ToTimestamp(),
        DeleteTime = row.State == LogicalDatabaseState.Deleted ? row.StateSince.ToTimestamp() : null,
        CredentialsIssueTime = row.CredentialsIssuedAt?.ToTimestamp(),
        Etag = row.Etag(),
    };

    /// <summary>Where it stands and what an operator can do about it.</summary>
    public static Supervision.Explanation Explain(this LogicalDatabase row)
    {
        var explanation = new Supervision.Explanation
        {
            Resource = row.Name,
            Service = SupervisionMessages.ServiceName,
            State = StateNames<LogicalDatabaseState>.Of(row.State),
            Summary = Summary(row),
            Progress = row.ToProgress(),
            Owner = row.ClaimedBy ?? "",
        };
        if (row.State is LogicalDatabaseState.CreationFailed or LogicalDatabaseState.DeletionFailed)
        {
            explanation.Advice.Add("Remove the cause, then ask for the same again: it tries again.");
        }

        return explanation;
    }

    private static string Summary(LogicalDatabase row) => row.State switch
    {
        LogicalDatabaseState.CreationRequested => row.WaitingFor ?? row.LastError ?? "Being made.",
        LogicalDatabaseState.Stable => "It is there.",
        LogicalDatabaseState.CreationFailed => row.LastError ?? "It could not be made.",
        LogicalDatabaseState.DeletionRequested => row.WaitingFor ?? row.LastError ?? "Being dropped.",
        LogicalDatabaseState.DeletionFailed => row.LastError ?? "It could not be dropped.",
        LogicalDatabaseState.Deleted => "It was dropped.",
    };
}
