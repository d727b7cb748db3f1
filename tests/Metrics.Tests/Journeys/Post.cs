using System.Collections.Concurrent;
using Cloud.Events;
using Cloud.Metrics.Tests.Webhooks;
using Cloud.TestHost;
using Cloud.TestHost.Journeys;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Cloud.Metrics.Tests.Journeys;

/// <summary>Journeys of this service under every fault.</summary>
public sealed class Journeys(JourneyStage<Post> stage, ITestOutputHelper output)
    : JourneySuite<Post>(stage, output);

/// <summary>Two processes of the service, and a receiver with an address for every life.</summary>
public sealed class Post : IJourneyWorld<Post>
{
    private readonly FeedWorld _feed;
    private readonly ServiceHost<EventService> _second;
    private readonly ConcurrentDictionary<string, int> _refusals = new();
    private readonly Receiver _receiver;

    private Post(FeedWorld feed, Receiver receiver)
    {
        (_feed, _receiver, _second) = (feed, receiver, feed.Start());
        _ = _second.Channel;
        receiver.Answer = (received, context) =>
        {
            context.Response.StatusCode =
                _refusals.GetValueOrDefault(LifeOf(received), StatusCodes.Status200OK);
            return Task.CompletedTask;
        };
    }

    public static int LivesAtOnce => 10;

    public IReadOnlyList<IReplica> Replicas => [_feed.Service, _second];

    public RedisServer Redis => _feed.Redis;

    public static async Task<Post> StartAsync(Action<IServiceCollection> configure, CancellationToken ct)
    {
        var feed = new FeedWorld { Settings = WebhookWorld.Settings, Configure = configure };
        await feed.InitializeAsync();
        return new Post(feed, await Receiver.OpenAsync(ct));
    }

    public IReplica StartWithoutRedis() => _feed.Start([new("ConnectionStrings:redis", "")]);

    public async ValueTask DisposeAsync()
    {
        await _second.DisposeAsync();
        await _feed.DisposeAsync();
        await _receiver.DisposeAsync();
    }

    /// <summary>Where a life is posted to.</summary>
    internal string UrlOf(Life life) => $"{_receiver.Url}/{life.Id}";

    /// <summary>What was posted to a life, in order of arrival.</summary>
    internal IReadOnlyList<Received> ReceivedBy(Life life) =>
        [.. _receiver.All.Where(received => LifeOf(received) == life.Id)];

    /// <summary>What is posted to a life is refused from now on.</summary>
    internal void Refuse(Life life, int status) => _refusals[life.Id] = status;

    /// <summary>It is taken again.</summary>
    internal void Take(Life life) => _refusals.TryRemove(life.Id, out _);

    private static string LifeOf(Received received) => received.Path[(received.Path.LastIndexOf('/') + 1)..];
}
