using Cloud.TestHost;
using StackExchange.Redis;
using Xunit;

namespace Cloud.AppHost.Tests;

public sealed class RedisServerTests
{
    [Fact]
    public async Task A_client_survives_the_server_being_taken_away_and_put_back()
    {
        using var server = new RedisServer();
        await using var client = await ConnectionMultiplexer.ConnectAsync(server.ConnectionString);
        await client.GetDatabase().StringSetAsync("key", "value");
        Assert.Equal("value", await client.GetDatabase().StringGetAsync("key"));

        server.Stop();
        await Assert.ThrowsAnyAsync<RedisException>(() => client.GetDatabase().PingAsync());
        var restored = new TaskCompletionSource();
        client.ConnectionRestored += (_, _) => restored.TrySetResult();
        server.Start();
        await restored.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        Assert.True((await client.GetDatabase().StringGetAsync("key")).IsNull);
    }
}
