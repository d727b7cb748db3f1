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

    /// <summary>Whether it ends by itself: the server is away or refused it only for the moment, here or in what this
    /// was made of.</summary>
    public static bool EndsByItself(Exception e) =>
        IsAway(e) || (e is PostgresException refused && IsPassing(refused))
        || (e.InnerException is { } cause && EndsByItself(cause));

    /// <summary>Whether trying the same again later can help without anything else changing.</summary>
    public static bool IsAway(Exception e) => e switch
    {
        PostgresException refused => AwayStates.Any(s => refused.SqlState.StartsWith(s, StringComparison.Ordinal)),
        NpgsqlException or TimeoutException => true,
        _ => IsLostSession(e),
    };

    /// <summary>What it says, without the driver's lines on details that it does not show.</summary>
    public static string Words(Exception e) =>
        e is PostgresException refused ? $"{refused.SqlState}: {refused.MessageText}" : e.Message;

    /// <summary>What the driver says of a session that is of no use any more without having an exception for it. The
    /// next one is new.</summary>
    private static bool IsLostSession(Exception e) => e.Source == "Npgsql" && (
        // It broke between two statements: https://github.com/npgsql/npgsql/issues/5605.
        e is InvalidOperationException { Message: "Connection is not open" }
        // A cancel met a statement while it was bound for the first time since it was prepared; the driver then takes
        // it for one without rows.
        || e.Message.StartsWith("Received unexpected backend message", StringComparison.Ordinal));
}
