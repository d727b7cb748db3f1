using StackExchange.Redis;

namespace Cloud.ServiceDefaults.Supervision;

/// <summary>Tells "Redis does not answer now" from mistakes.</summary>
public static class RedisTrouble
{
    /// <summary>Timeouts of the client are no <see cref="RedisException"/>, and what the lock library tried at several
    /// servers at once comes as one exception of several.</summary>
    public static bool IsAway(Exception e) => e switch
    {
        RedisException or TimeoutException or ObjectDisposedException => true,
        AggregateException several => several.InnerExceptions.All(IsAway),
        _ => false,
    };
}
