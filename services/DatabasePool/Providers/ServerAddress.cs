using System.Net;

namespace Cloud.Providers;

/// <summary>How a customer server is reached, as one who may create databases and roles there.</summary>
/// <param name="ServerId">The row it belongs to; names the connection pool.</param>
/// <param name="Host">Host name or address.</param>
/// <param name="Port">TCP port.</param>
/// <param name="User">The administrating role.</param>
/// <param name="Password">Its password, in the clear: never logged, never stored.</param>
/// <param name="SslMode">`disable`, `require` or `verify-full`.</param>
public sealed record ServerAddress(
    string ServerId, string Host, int Port, string User, string Password, string SslMode)
{
    /// <summary>Without the password: records print all they have.</summary>
    public override string ToString() => $"{User}@{Host}:{Port} ({ServerId})";
}

/// <summary>How connections to a server are secured. The names are libpq's, which applications understand.</summary>
public static class SslModes
{
    public const string Disable = "disable";

    public const string Require = "require";

    public const string VerifyFull = "verify-full";

    public static IReadOnlyList<string> All { get; } = [Disable, Require, VerifyFull];

    /// <summary>What an unset mode means: nothing to protect on a loopback host, encryption anywhere else.</summary>
    public static string DefaultFor(string host)
    {
        var isLoopback = string.Equals(host, "localhost", StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));
        return isLoopback ? Disable : Require;
    }
}

/// <summary>What a server says about itself and about the role that we come as.</summary>
/// <param name="Version">For people, for example "15.14".</param>
/// <param name="MayCreate">Whether the role may create databases and roles.</param>
/// <param name="IsReadOnly">Whether it is a standby, where nothing can be created.</param>
/// <param name="OpenDatabases">
/// Databases that any role of the server may connect to, because PUBLIC may, and that are not ours to close.
/// </param>
public sealed record ServerReport(
    string Version, bool MayCreate, bool IsReadOnly, IReadOnlyList<string> OpenDatabases);

/// <summary>A database of one installation and its role, as they must be on the server.</summary>
/// <param name="InstallationId">Whose it is; the comment on the database says so.</param>
/// <param name="DatabaseName">`cloud_{installation id}`.</param>
/// <param name="RoleName">`user_{installation id}`: owner of the database and of nothing else.</param>
/// <param name="ConnectionLimit">Connections that the role may hold at once.</param>
/// <param name="Epoch">The worker's claim; written into the comment, and a lower one never acts.</param>
public sealed record DatabaseSpec(
    string InstallationId, string DatabaseName, string RoleName, int ConnectionLimit, long Epoch);
