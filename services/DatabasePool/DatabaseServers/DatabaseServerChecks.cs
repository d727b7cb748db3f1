using Cloud.Protos.Api.V1;
using Cloud.Providers;
using Cloud.ServiceDefaults.Hosting;
using Google.Protobuf.WellKnownTypes;
using Proto = Cloud.Protos.DatabasePool.V1;

namespace Cloud.DatabaseServers;

/// <summary>
/// The form of requests about database servers. Pure; each finds everything that is wrong before it says so.
/// </summary>
internal static class DatabaseServerChecks
{
    public const int DisplayNameLengthMax = 64;

    public const int MaxDatabasesMax = 100_000;

    public const int WeightMax = 1000;

    private const int PortMax = 65_535;

    /// <summary>PostgreSQL cuts longer identifiers.</summary>
    private const int RoleLengthMax = 63;

    private const int PasswordLengthMax = 1000;

    /// <summary>What a registration or an update says; the same field names as in the message.</summary>
    public const string Prefix = "database_server.";

    /// <summary>Paths that an update may name.</summary>
    public static IReadOnlyList<string> Paths { get; } =
    [
        "display_name", "host", "port", "admin_user", "max_databases", "weight", "allow_databases", "ssl_mode",
    ];

    /// <summary>Checks a registration.</summary>
    public static void Check(Proto.RegisterDatabaseServerRequest request)
    {
        var problems = new FieldProblems();
        var server = request.DatabaseServer ?? new Proto.DatabaseServer();
        foreach (var path in Paths)
        {
            CheckField(server, path, problems);
        }

        CheckPassword(request.AdminPassword, isRequired: true, problems);
        problems.ThrowIfAny();
    }

    /// <summary>Checks an update; only fields that the mask names count.</summary>
    /// <param name="problems">What was found before; thrown together.</param>
    public static void Check(Proto.UpdateDatabaseServerRequest request, FieldProblems problems)
    {
        var server = request.DatabaseServer ?? new Proto.DatabaseServer();
        var mask = request.UpdateMask ?? new FieldMask();
        if (mask.Paths.Count == 0 && request.AdminPassword.Length == 0)
        {
            problems.Add(
                "update_mask", $"must name at least one of {string.Join(", ", Paths)}", ErrorReason.UpdateMaskInvalid);
        }

        foreach (var path in mask.Paths)
        {
            if (Paths.Contains(path))
            {
                CheckField(server, path, problems);
            }
            else
            {
                problems.Add(
                    "update_mask", $"'{path}' cannot be updated; allowed are {string.Join(", ", Paths)}",
                    ErrorReason.UpdateMaskInvalid);
            }
        }

        CheckPassword(request.AdminPassword, isRequired: false, problems);
        problems.ThrowIfAny();
    }

    private static void CheckField(Proto.DatabaseServer server, string path, FieldProblems problems)
    {
        var (isWrong, description, reason) = path switch
        {
            "display_name" => (
                server.DisplayName.Trim().Length is 0 or > DisplayNameLengthMax
                    || server.DisplayName != server.DisplayName.Trim(),
                $"must be 1 to {DisplayNameLengthMax} characters without blanks at either end",
                ErrorReason.DisplayNameInvalid),
            "host" => (
                server.Host.Length == 0 || Uri.CheckHostName(server.Host) == UriHostNameType.Unknown,
                "must be a host name or an IP address, without port",
                ErrorReason.HostInvalid),
            "port" => (
                server.Port is < 0 or > PortMax,
                $"must be 1 to {PortMax}, or 0 for {DatabaseServer.PortDefault}",
                ErrorReason.PortInvalid),
            "admin_user" => (
                server.AdminUser.Length is 0 or > RoleLengthMax || server.AdminUser.Any(char.IsControl),
                $"must be a PostgreSQL role: 1 to {RoleLengthMax} characters",
                ErrorReason.AdminUserInvalid),
            "max_databases" => (
                server.MaxDatabases is < 0 or > MaxDatabasesMax,
                $"must be 1 to {MaxDatabasesMax}, or 0 for {DatabaseServer.MaxDatabasesDefault}",
                ErrorReason.MaxDatabasesInvalid),
            "weight" => (
                server.Weight is < 0 or > WeightMax,
                $"must be 1 to {WeightMax}, or 0 for {DatabaseServer.WeightDefault}",
                ErrorReason.WeightInvalid),
            "ssl_mode" => (
                server.SslMode.Length > 0 && !SslModes.All.Contains(server.SslMode),
                $"must be one of {string.Join(", ", SslModes.All)}, or empty",
                ErrorReason.SslModeInvalid),
            _ => (false, "", ErrorReason.Unspecified),
        };
        if (isWrong)
        {
            problems.Add(Prefix + path, description, reason);
        }
    }

    private static void CheckPassword(string password, bool isRequired, FieldProblems problems)
    {
        if ((isRequired && password.Length == 0) || password.Length > PasswordLengthMax)
        {
            problems.Add(
                "admin_password", $"must be 1 to {PasswordLengthMax} characters", ErrorReason.AdminPasswordInvalid);
        }
    }
}
