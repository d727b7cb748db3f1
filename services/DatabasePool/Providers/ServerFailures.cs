using System.Net.Sockets;
using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Npgsql;

namespace Cloud.Providers;

/// <summary>Turns what the driver throws into a typed failure with words for the operator.</summary>
internal static class ServerFailures
{
    public static bool IsOne(Exception failure) =>
        failure is PostgresException or SocketException || DatabaseTrouble.IsAway(failure);

    /// <summary>Whether it concerns all that is on the server, so that the server itself has to be looked at.</summary>
    public static bool IsOfTheWholeServer(StepException failure) => failure.Reason
        is ErrorReason.DatabaseServerUnreachable or ErrorReason.DatabaseServerAuthenticationFailed
        or ErrorReason.DatabaseServerLacksRights or ErrorReason.AdminPasswordUnreadable;

    public static StepException Explain(Exception failure, ServerAddress address) =>
        failure is PostgresException said ? Explain(said, address) : Unreachable(failure, address);

    public static StepException Busy(ServerAddress address) => new(
        ErrorReason.DatabaseServerBusy,
        $"The {Name(address)} is busy with other databases; this one waits for its turn.");

    public static StepException LockedElsewhere(ServerAddress address, string databaseName) => new(
        ErrorReason.DatabaseServerBusy,
        $"Another worker still acts on {databaseName} on the {Name(address)}.");

    private static StepException Unreachable(Exception failure, ServerAddress address) => new(
        ErrorReason.DatabaseServerUnreachable,
        $"The {Name(address)} does not answer: {Innermost(failure)}. Check that it runs and that its address is right.")
    {
        TargetFailed = true,
    };

    private static StepException Explain(PostgresException said, ServerAddress address) => said.SqlState switch
    {
        PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification => new(
            ErrorReason.DatabaseServerAuthenticationFailed,
            $"The {Name(address)} does not let role \"{address.User}\" in: {said.MessageText}. "
            + "Update the server with the right admin_user and admin_password."),
        PostgresErrorCodes.InsufficientPrivilege => new(
            ErrorReason.DatabaseServerLacksRights,
            $"Role \"{address.User}\" lacks rights on the {Name(address)}: {said.MessageText}. "
            + "It needs CREATEDB and CREATEROLE."),
        PostgresErrorCodes.DiskFull => new(
            ErrorReason.DatabaseServerDiskFull,
            $"The {Name(address)} has no disk space left: {said.MessageText}."),
        PostgresErrorCodes.DependentObjectsStillExist => new(
            ErrorReason.DatabaseRoleInUse,
            $"The {Name(address)} keeps a role because other objects depend on it: {said.Detail ?? said.MessageText}."),
        // Also what a pooler in between says of a server that it cannot reach.
        _ when DatabaseTrouble.IsAway(said) => Unreachable(said, address),
        _ => new(
            ErrorReason.DatabaseServerRefused,
            $"The {Name(address)} refused with {said.SqlState}: {said.MessageText}."),
    };

    private static string Name(ServerAddress address) => $"database server {address.Host}:{address.Port}";

    /// <summary>The driver wraps; the innermost message is the one that says what happened.</summary>
    private static string Innermost(Exception failure) => failure switch
    {
        { InnerException: { } inner } and not IOException => Innermost(inner),
        PostgresException said => said.MessageText,
        _ => failure.Message.TrimEnd('.'),
    };
}
