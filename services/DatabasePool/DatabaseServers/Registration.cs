using Cloud.LogicalDatabases;
using Cloud.Protos.Api.V1;
using Cloud.Providers;
using Cloud.ServiceDefaults.Supervision;
using static Cloud.DatabaseServers.DatabaseServerState;
using static Cloud.ServiceDefaults.Supervision.Outcome;
using Answer = Cloud.ServiceDefaults.Supervision.Outcome<
    Cloud.DatabaseServers.DatabaseServer, Cloud.DatabaseServers.DatabaseServerState>;

namespace Cloud.DatabaseServers;

/// <summary>
/// provisioning-requested -> stable, or provisioning-failed -> stable once what was wrong is right.
/// A server is asked whether it answers and whether its role may create; what is wrong shows with a code at once. Once
/// stable it is not polled: work that fails nudges it, and a slow sweep finds out about servers that nobody uses.
/// </summary>
public sealed class Registration(PostgresServers servers, AdminPasswords passwords, RoomStore room)
{
    /// <summary>How often a stable server that nobody complains about is asked whether it answers.</summary>
    public static readonly TimeSpan SweepInterval = TimeSpan.FromMinutes(15);

    /// <summary>How often one that did not answer is asked again; databases on it wait for that.</summary>
    public static readonly TimeSpan RecheckInterval = TimeSpan.FromSeconds(30);

    /// <summary>
    /// provisioning-requested: what does not do ends in provisioning-failed at once, where it is seen.
    /// </summary>
    public async Task<Answer> CheckAsync(DatabaseServer server, CancellationToken ct)
    {
        try
        {
            return await AdmitAsync(server, ct);
        }
        catch (StepException failure) when (failure.Retryable)
        {
            throw failure.AsFinal();
        }
    }

    /// <summary>
    /// provisioning-failed: tried again at growing intervals, since any of its causes may be cured there.
    /// </summary>
    public async Task<Answer> CheckAgainAsync(DatabaseServer server, CancellationToken ct) =>
        await AdmitAsync(server, ct);

    /// <summary>stable: keeps <c>reachable</c> true to the facts. One that became a standby or too old fails; one that
    /// turns its role away is asked again, since whoever changed a password may be about to tell us.</summary>
    public async Task<Answer> LookAfterAsync(DatabaseServer server, CancellationToken ct)
    {
        try
        {
            var seen = await InspectAsync(server, ct);
            var isBack = seen.Reachable && !server.Reachable;
            return seen == server
                ? Wait("", SweepInterval)
                : new Answer.Wait("", SweepInterval) { Changed = seen, Also = isBack ? room.Opened(server.Id) : null };
        }
        catch (StepException failure) when (failure.Retryable)
        {
            return Wait<DatabaseServer, DatabaseServerState>(
                $"It must let us work there again: {failure.Message}",
                RecheckInterval,
                server with { Reachable = false, UnreachableReason = failure.Message });
        }
    }

    private async Task<Answer> AdmitAsync(DatabaseServer server, CancellationToken ct)
    {
        var seen = await InspectAsync(server, ct);
        return Go(
            Stable,
            $"PostgreSQL {seen.ServerVersion} answers, and \"{server.AdminUser}\" may create databases and roles",
            seen,
            room.Opened(server.Id));
    }

    private async Task<DatabaseServer> InspectAsync(DatabaseServer server, CancellationToken ct)
    {
        var report = await servers.InspectAsync(passwords.AddressOf(server), ct);
        if (report.IsReadOnly)
        {
            throw new StepException(
                ErrorReason.DatabaseServerReadOnly,
                $"{server.Host}:{server.Port} is a standby, where nothing can be created. Register the primary.");
        }

        if (!report.MayCreate)
        {
            throw new StepException(
                ErrorReason.DatabaseServerLacksRights,
                $"Role \"{server.AdminUser}\" on {server.Host}:{server.Port} may not create databases and roles. "
                + $"Run there: ALTER ROLE {CustomerDatabase.Quote(server.AdminUser)} CREATEDB CREATEROLE.");
        }

        return server with
        {
            ServerVersion = report.Version,
            Reachable = true,
            UnreachableReason = "",
            OpenDatabases = string.Join(", ", report.OpenDatabases),
        };
    }
}
