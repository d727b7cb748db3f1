using System.Globalization;
using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Supervision;

namespace Cloud.Providers;

/// <summary>
/// What registration wants to know of a server, and what it puts in order there. Every role of a PostgreSQL server may
/// connect to every database that PUBLIC may, which by default is all of them. Customers' databases are closed as they
/// are made; `postgres` and `template1` are closed here when the administrating role may; any other open database is
/// somebody else's and is only reported.
/// </summary>
internal static class ServerInspection
{
    /// <summary>DROP DATABASE WITH (FORCE) exists from here on.</summary>
    private const int OldestVersionNumber = 130000;

    private const string FactsSql = """
        SELECT current_setting('server_version'), current_setting('server_version_num')::int,
               rolsuper, rolcreatedb, rolcreaterole, pg_is_in_recovery()
          FROM pg_roles WHERE rolname = current_user
        """;

    private const string OpenDatabasesSql = """
        SELECT datname,
               (datname IN ('postgres', 'template1') OR datname LIKE 'cloud\_%')
               AND pg_has_role(current_user, datdba, 'USAGE')
          FROM pg_database
         WHERE datallowconn AND has_database_privilege('public', oid, 'CONNECT')
         ORDER BY datname
        """;

    public static async Task<ServerReport> RunAsync(ServerSession session, CancellationToken ct)
    {
        var (report, versionNumber) = await FactsAsync(session, ct);
        if (versionNumber < OldestVersionNumber)
        {
            var oldest = (OldestVersionNumber / 10000).ToString(CultureInfo.InvariantCulture);
            throw new StepException(
                ErrorReason.DatabaseServerTooOld,
                $"The server runs PostgreSQL {report.Version}; it must be {oldest} or newer.");
        }

        if (report.IsReadOnly || !report.MayCreate)
        {
            return report;
        }

        return report with { OpenDatabases = await CloseOwnAsync(session, ct) };
    }

    private static async Task<(ServerReport Report, int VersionNumber)> FactsAsync(
        ServerSession session, CancellationToken ct)
    {
        // "15.14 (Debian 15.14-0+deb12u1)": the packager's remark tells an operator nothing.
        return (await session.QueryAsync(
            FactsSql,
            null,
            row => (
                new ServerReport(
                    row.GetString(0).Split(' ')[0],
                    row.GetBoolean(2) || (row.GetBoolean(3) && row.GetBoolean(4)),
                    row.GetBoolean(5),
                    []),
                row.GetInt32(1)),
            ct)).Single();
    }

    /// <summary>Closes what is ours to close; answers what stays open.</summary>
    private static async Task<IReadOnlyList<string>> CloseOwnAsync(ServerSession session, CancellationToken ct)
    {
        var open = await session.QueryAsync(
            OpenDatabasesSql, null, row => (Name: row.GetString(0), IsOurs: row.GetBoolean(1)), ct);
        foreach (var (name, _) in open.Where(database => database.IsOurs))
        {
            await session.ExecuteAsync(
                $"REVOKE CONNECT, TEMPORARY ON DATABASE {CustomerDatabase.Quote(name)} FROM PUBLIC", ct);
        }

        return [.. open.Where(database => !database.IsOurs).Select(database => database.Name)];
    }
}
