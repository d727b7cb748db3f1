using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Cloud.ServiceDefaults.Supervision;

/// <summary>"Look at this row": from whoever changed something to whoever supervises what waits for it.</summary>
public interface INudges
{
    /// <summary>Tells all subscribers of the noun, in this process at once and in others through Redis. Never fails and
    /// never waits: a nudge is a hint, and the sweep finds what a lost one leaves behind.</summary>
    Task SendAsync(Nudge nudge, CancellationToken ct);

    /// <summary>Hears nudges of a noun until disposed. The handler gets the id, or null when some may have been missed
    /// (Redis was away); it must be quick and must not throw.</summary>
    IDisposable Subscribe(string noun, Action<string?> handler);
}

/// <summary>
/// Nudges over Redis pub/sub: channel <c>nudge:&lt;noun&gt;</c>, payload <c>&lt;id&gt;@&lt;sender&gt;</c>.
/// Subscribers in the sender's own process are called directly, before Redis and without it, and ignore their own echo.
/// Guarantee: none; at most once. Redis away: nudges within the process still work, the others are dropped; when it is
/// back every handler is told with null that it should look for itself.
/// </summary>
public sealed class RedisNudges : INudges
{
    private readonly ConcurrentDictionary<string, ImmutableArray<Action<string?>>> _handlers =
        new(StringComparer.Ordinal);

    private readonly ConcurrentDictionary<string, bool> _subscribed = new(StringComparer.Ordinal);
    private readonly string _self = "@" + ResourceId.New();
    private readonly RedisLink _redis;
    private readonly ILogger<RedisNudges> _logger;

    /// <summary>Begins to listen as soon as Redis is reached.</summary>
    public RedisNudges(RedisLink redis, ILogger<RedisNudges> logger)
    {
        _redis = redis;
        _logger = logger;
        redis.WhenConnected(OnConnectedAsync);
    }

    /// <inheritdoc/>
    public async Task SendAsync(Nudge nudge, CancellationToken ct)
    {
        Dispatch(nudge.Noun, nudge.Id);
        if (_redis.Connected is { } redis)
        {
            try
            {
                await redis.GetDatabase().PublishAsync(
                    ChannelOf(nudge.Noun), nudge.Id + _self, CommandFlags.FireAndForget);
            }
            catch (RedisException e)
            {
                _logger.LogDebug(e, "Losing a nudge of {Noun} {Id}: Redis is away", nudge.Noun, nudge.Id);
            }
        }
    }

    /// <inheritdoc/>
    public IDisposable Subscribe(string noun, Action<string?> handler)
    {
        _handlers.AddOrUpdate(noun, [handler], (_, known) => known.Add(handler));
        if (_redis.Connected is { } redis)
        {
            _ = ListenAsync(redis, noun);
        }

        return new Subscription(this, noun, handler);
    }

    private async Task OnConnectedAsync(IConnectionMultiplexer redis)
    {
        foreach (var noun in _handlers.Keys)
        {
            await ListenAsync(redis, noun);
            Dispatch(noun, null);
        }
    }

    /// <summary>Subscribes once per noun and connection; the multiplexer restores subscriptions by itself.</summary>
    private async Task ListenAsync(IConnectionMultiplexer redis, string noun)
    {
        if (!_subscribed.TryAdd(noun, true))
        {
            return;
        }

        try
        {
            await redis.GetSubscriber().SubscribeAsync(
                ChannelOf(noun), (_, payload) => Receive(noun, payload.ToString()));
        }
        catch (Exception e) when (e is RedisException or ObjectDisposedException)
        {
            _subscribed.TryRemove(noun, out _);
            _logger.LogDebug(e, "Not hearing nudges of {Noun} yet: Redis is away", noun);
        }
    }

    private void Receive(string noun, string payload)
    {
        if (!payload.EndsWith(_self, StringComparison.Ordinal))
        {
            var end = payload.IndexOf('@', StringComparison.Ordinal);
            Dispatch(noun, end < 0 ? payload : payload[..end]);
        }
    }

    private void Dispatch(string noun, string? id)
    {
        if (_handlers.TryGetValue(noun, out var handlers))
        {
            foreach (var handler in handlers)
            {
                handler(id);
            }
        }
    }

    private static RedisChannel ChannelOf(string noun) => RedisChannel.Literal("nudge:" + noun);

    private sealed class Subscription(RedisNudges nudges, string noun, Action<string?> handler) : IDisposable
    {
        public void Dispose() => nudges._handlers.AddOrUpdate(noun, [], (_, known) => known.Remove(handler));
    }
}
