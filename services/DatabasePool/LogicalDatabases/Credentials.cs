using System.Globalization;
using Cloud.DatabaseServers;
using Cloud.Protos.Api.V1;
using Cloud.Providers;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Proto = Cloud.Protos.DatabasePool.V1;

namespace Cloud.LogicalDatabases;

/// <summary>
/// Hands out what an application connects with. The password is made here, its verifier set on the server, and the
/// answer is the only place that ever has it: asking again makes a new one. Issuing takes the server's lock of that
/// database before it asks whether the holder may still have it, so of two holders the one with the higher epoch ends
/// up with the password that works, whatever their order.
/// <para>Whoever asks holds a place in a queue of their own, so a server that is known not to answer is not asked
/// again.</para>
/// </summary>
public sealed class Credentials(
    PostgresServers servers, DatabaseServerStore serverStore, AdminPasswords passwords, INudges nudges)
{
    /// <summary>How long an application tries to connect, in seconds.</summary>
    private const int ConnectTimeoutSeconds = 10;

    /// <summary>Sets a new password if <paramref name="take"/>, asked under the lock, says yes.</summary>
    /// <returns>Null when it said no.</returns>
    /// <exception cref="StepException">The server does not answer or refuses.</exception>
    public async Task<Proto.LogicalDatabaseCredentials?> IssueAsync(
        LogicalDatabase row, Func<CancellationToken, Task<bool>> take, CancellationToken ct)
    {
        var server = await serverStore.FindAsync(row.DatabaseServerId, ct)
            ?? throw new InvalidOperationException($"{row.Name} is on a server that has no row.");
        if (server.IsAway)
        {
            throw new StepException(
                ErrorReason.DatabaseServerUnreachable,
                $"{server.DisplayName} must let us work there again: {server.UnreachableReason}");
        }

        var password = Passwords.New(CustomerDatabase.PasswordLength);
        try
        {
            var isIssued = await servers.ActAsync(
                passwords.AddressOf(server),
                row.DatabaseName,
                take,
                (session, token) => CustomerDatabase.SetPasswordAsync(session, row.RoleName, password, token),
                ct);
            return isIssued ? Answer(row, server, password) : null;
        }
        catch (Exception failure) when (failure is OperationCanceledException
            || (failure is StepException step && ServerFailures.IsOfTheWholeServer(step)))
        {
            // A caller who gave up may have waited for a server that hangs.
            await nudges.SendAsync(new Nudge(serverStore.Noun, server.Id), default);
            throw;
        }
    }

    /// <summary>The connection strings. Pure.</summary>
    internal static Proto.LogicalDatabaseCredentials Answer(
        LogicalDatabase row, DatabaseServer server, string password)
    {
        var host = server.Host.Contains(':', StringComparison.Ordinal) ? $"[{server.Host}]" : server.Host;
        var url = string.Create(
            CultureInfo.InvariantCulture,
            $"postgres://{row.RoleName}:{password}@{host}:{server.Port}/{row.DatabaseName}"
            + $"?sslmode={server.SslMode}&connect_timeout={ConnectTimeoutSeconds}");
        return new Proto.LogicalDatabaseCredentials
        {
            LogicalDatabase = row.Name,
            ConnectionString = url,
            DataSource = $"{url}&binary_parameters=yes",
        };
    }
}
