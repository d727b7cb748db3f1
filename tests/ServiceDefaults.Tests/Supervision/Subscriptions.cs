using System.Net;
using System.Reflection;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Supervision;
using Cloud.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Supervision;

public sealed class Subscriptions
{
    private static CancellationToken Ct => Patience.Token;

    [Fact]
    public async Task A_subscription_that_broke_is_made_again_though_the_connection_was_back_before_that_was_known()
    {
        var tries = 0;
        var subscriber = Answering<ISubscriber>(_ => Interlocked.Increment(ref tries) == 1
            ? Task.FromException(new RedisException("it broke"))
            : Task.CompletedTask);
        var redis = Answering<IConnectionMultiplexer>(method => method switch
        {
            "get_IsConnected" => true,
            "GetEndPoints" => Array.Empty<EndPoint>(),
            "GetSubscriber" => subscriber,
            _ => null,
        });
        await using var services = new ServiceCollection().AddSingleton(redis).BuildServiceProvider();
        var link = new RedisLink(services, NullLogger<RedisLink>.Instance);
        var nudges = new RedisNudges(link, TimeProvider.System, NullLogger<RedisNudges>.Instance);
        var hears = new TaskCompletionSource();
        using var hearing = nudges.Subscribe("parcel", _ => hears.TrySetResult());

        await link.StartAsync(Ct);

        await hears.Task.WaitAsync(Ct);
        Assert.Equal(2, tries);
    }

    private static T Answering<T>(Func<string, object?> answer)
        where T : class
    {
        var stub = DispatchProxy.Create<T, Stub>();
        ((Stub)(object)stub).Answer = answer;
        return stub;
    }

    /// <summary>Answers calls by their names.</summary>
    public class Stub : DispatchProxy
    {
        public Func<string, object?> Answer { get; set; } = _ => null;

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => Answer(targetMethod!.Name);
    }
}
