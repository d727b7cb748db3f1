using System.Net.Sockets;
using Cloud.ServiceDefaults.Supervision;
using Npgsql;

namespace Cloud.Providers;

/// <summary>The codes that failures of database servers carry, wherever they show.</summary>
public static class ServerErrors
{
    /// <summary>Nothing answers there, or not in time. Trying again may be enough.</summary>
    public const string Unreachable = "DATABASE_SERVER_UNREACHABLE";

    /// <summary>It answers and does not let the administrating role in.</summary>
    public const string AuthenticationFailed = "DATABASE_SERVER_AUTHENTICATION_FAILED";

    /// <summary>The administrating role may not create databases or roles.</summary>
    public const string LacksRights = "DATABASE_SERVER_LACKS_RIGHTS";

    /// <summary>It is a standby: nothing can be created there.</summary>
    public const string ReadOnly = "DATABASE_SERVER_READ_ONLY";

    /// <summary>Its version is below the oldest one supported.</summary>
    public const string TooOld = "DATABASE_SERVER_TOO_OLD";

    /// <summary>It has more to do than is good for it; work waits for its turn.</summary>
    public const string Busy = "DATABASE_SERVER_BUSY";

    /// <summary>It has no disk space left.</summary>
    public const string DiskFull = "DATABASE_SERVER_DISK_FULL";

    /// <summary>It refused a statement for a reason that has no code of its own.</summary>
    public const string Refused = "DATABASE_SERVER_REFUSED";

    /// <summary>Something of that name is there and is not this installation's.</summary>
    public const string NameTaken = "DATABASE_NAME_TAKEN";

    /// <summary>Something outside its own database still depends on the role.</summary>
    public const string RoleInUse = "DATABASE_ROLE_IN_USE";
}

/// <summary>Turns what the driver throws into a typed failure with words for the operator.</summary>
internal static class ServerFailures
{
    public static bool IsOne(Exception failure) => failure is NpgsqlException or TimeoutException or SocketException;

    public static StepException Explain(Exception failure, ServerAddress address) =>
        failure is PostgresException said ? Explain(said, address) : Unreachable(failure, address);

    public static StepException Busy(ServerAddress address) => new(
        ServerErrors.Busy,
        $"{Name(address)} is busy with other databases; this one waits for its turn.",
        Fault.World,
        retryable: true);

    public static StepException LockedElsewhere(ServerAddress address, string databaseName) => new(
        ServerErrors.Busy,
        $"Another worker still acts on {databaseName} on {Name(address)}.",
        Fault.World,
        retryable: true);

    private static StepException Unreachable(Exception failure, ServerAddress address) => new(
        ServerErrors.Unreachable,
        $"{Name(address)} does not answer: {Innermost(failure)}. Check that it runs and that its address is right.",
        Fault.World,
        retryable: true);

    private static StepException Explain(PostgresException said, ServerAddress address) => said.SqlState switch
    {
        PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification => new(
            ServerErrors.AuthenticationFailed,
            $"{Name(address)} does not let role \"{address.User}\" in: {said.MessageText}. "
            + "Update the server with the right admin_user and admin_password.",
            Fault.Operator,
            retryable: false),
        PostgresErrorCodes.InsufficientPrivilege => new(
            ServerErrors.LacksRights,
            $"Role \"{address.User}\" lacks rights on {Name(address)}: {said.MessageText}. "
            + "It needs CREATEDB and CREATEROLE.",
            Fault.Operator,
            retryable: false),
        PostgresErrorCodes.CannotConnectNow or PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown
            or PostgresErrorCodes.TooManyConnections => Unreachable(said, address),
        PostgresErrorCodes.DiskFull => new(
            ServerErrors.DiskFull,
            $"{Name(address)} has no disk space left: {said.MessageText}.",
            Fault.Operator,
            retryable: true),
        PostgresErrorCodes.DependentObjectsStillExist => new(
            ServerErrors.RoleInUse,
            $"{Name(address)} keeps a role because other objects depend on it: {said.Detail ?? said.MessageText}.",
            Fault.Operator,
            retryable: true),
        _ => new(
            ServerErrors.Refused,
            $"{Name(address)} refused with {said.SqlState}: {said.MessageText}.",
            Fault.World,
            retryable: true),
    };

    private static string Name(ServerAddress address) => $"The database server {address.Host}:{address.Port}";

    /// <summary>The driver wraps; the innermost message is the one that says what happened.</summary>
    private static string Innermost(Exception failure) => failure switch
    {
        { InnerException: { } inner } and not IOException => Innermost(inner),
        PostgresException said => said.MessageText,
        _ => failure.Message.TrimEnd('.'),
    };
}
