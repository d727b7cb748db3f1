using Cloud.ServiceDefaults.Supervision;
using StackExchange.Redis;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Supervision;

public sealed class RedisAway
{
    private static readonly RedisException Cut = new("it went away");

    [Fact]
    public void A_lock_that_failed_at_every_server_is_Redis_being_away_and_not_a_mistake()
    {
        Assert.True(RedisTrouble.IsAway(new AggregateException(Cut)));
        Assert.True(RedisTrouble.IsAway(new AggregateException(Cut, new AggregateException(new TimeoutException()))));
        Assert.False(RedisTrouble.IsAway(new AggregateException(Cut, new InvalidOperationException())));
    }
}
