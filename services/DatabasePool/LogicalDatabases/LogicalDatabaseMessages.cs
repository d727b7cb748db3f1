using System.Globalization;
using Cloud.DatabaseServers;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
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
        Progress = SupervisionMessages.ProgressOf(row),
        CreateTime = row.CreateTime.ToTimestamp(),
        UpdateTime = row.UpdateTime.ToTimestamp(),
        DeleteTime = row.State == LogicalDatabaseState.Deleted ? row.StateSince.ToTimestamp() : null,
        CredentialsIssueTime = row.CredentialsIssuedAt?.ToTimestamp(),
        Etag = row.Etag(),
    };

    /// <summary>Where it stands and what an operator can do about it.</summary>
    public static Supervision.Explanation Explain(this LogicalDatabase row) => SupervisionMessages.Explain(
        row, DatabaseServerMessages.ServiceName, row.Name, AtRest(row), Advice(row));

    private static string? AtRest(LogicalDatabase row) => row.State switch
    {
        LogicalDatabaseState.Stable => "Database and role are there.",
        LogicalDatabaseState.Deleted => "It was dropped.",
        _ => null,
    };

    private static IEnumerable<string> Advice(LogicalDatabase row)
    {
        if (row.State is LogicalDatabaseState.CreationFailed or LogicalDatabaseState.DeletionFailed)
        {
            yield return "Remove the cause, then RetryLogicalDatabase.";
        }
    }
}
