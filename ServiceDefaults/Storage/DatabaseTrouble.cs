using Npgsql;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>Tells "PostgreSQL does not answer now" from "PostgreSQL refuses this".</summary>
public static class DatabaseTrouble
{
    /// <summary>SqlState classes of a server that is there but not now: connection, resources, shutdown or
    /// start.</summary>
    private static readonly string[] AwayStates = ["08", "53", "57P"];

    /// <summary>Refusals of the moment by a server that is well: another transaction was in the way (serialization,
    /// deadlock, lock timeout), or the statement was cancelled from outside.</summary>
    private static readonly string[] PassingStates =
    [
        PostgresErrorCodes.SerializationFailure,
        PostgresErrorCodes.DeadlockDetected,
        PostgresErrorCodes.LockNotAvailable,
        PostgresErrorCodes.QueryCanceled,
    ];

    /// <summary>Whether a server that is well refused it only for the moment.</summary>
    public static bool IsPassing(PostgresException e) => PassingStates.Contains(e.SqlState);

    /// <summary>Whether trying the same again later can help without anything else changing.</summary>
    public static bool IsAway(Exception e) => e switch
    {
        PostgresException refused => AwayStates.Any(s => refused.SqlState.StartsWith(s, StringComparison.Ordinal)),
        NpgsqlException or TimeoutException => true,
        _ => false,
    };
}
