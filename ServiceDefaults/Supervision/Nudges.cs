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
/// Guarantee: none; at most once. Redis away: nudges within the process still work, the others are dropped. Whenever
/// hearing begins or begins again, every handler of the noun is told with null that it should look for itself; a
/// Redis too slow to take a subscription is asked again every <see cref="ListenAgainAfter"/>.
/// </summary>
public sealed class RedisNudges : INudges
{
    /// <summary>How soon a subscription that Redis did not take in time is tried again.</summary>
    private static readonly TimeSpan ListenAgainAfter = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, ImmutableArray<Action<string?>>> _handlers =
        new(StringComparer.Ordinal);

    private readonly ConcurrentDictionary<string, bool> _subscribed = new(StringComparer.Ordinal);
    private readonly string _self = "@" + ResourceId.New();
    private readonly RedisLink _redis;
    private readonly TimeProvider _time;
    private readonly ILogger<RedisNudges> _logger;

    /// <summary>Begins to listen as soon as Redis is reached.</summary>
    public RedisNudges(RedisLink redis, TimeProvider time, ILogger<RedisNudges> logger)
    {
        _redis = redis;
        _time = time;
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
            catch (Exception e) when (RedisTrouble.IsAway(e))
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
            if (!await ListenAsync(redis, noun))
            {
                Dispatch(noun, null);
            }
        }
    }

    /// <summary>Subscribes once per noun; the multiplexer restores subscriptions by itself. What was sent before the
    /// subscription stood went unheard, so its handlers are told to look.</summary>
    /// <returns>False when the noun was subscribed to already.</returns>
    private async Task<bool> ListenAsync(IConnectionMultiplexer redis, string noun)
    {
        if (!_subscribed.TryAdd(noun, true))
        {
            return false;
        }

        while (true)
        {
            try
            {
                await redis.GetSubscriber().SubscribeAsync(
                    ChannelOf(noun), (_, payload) => Receive(noun, payload.ToString()));
                Dispatch(noun, null);
                return true;
            }
            catch (Exception e) when (RedisTrouble.IsAway(e))
            {
                _logger.LogDebug(e, "Not hearing nudges of {Noun} yet: Redis is away or slow", noun);
                _subscribed.TryRemove(noun, out _);
                if (!redis.IsConnected || !_subscribed.TryAdd(noun, true))
                {
                    return true; // The reconnection tries again, or has begun to.
                }

                // Connected: slow, or back already, and then the reconnection found the noun taken. None will come that
                // would try again. A nudge heard twice harms nobody.
            }

            await Task.Delay(ListenAgainAfter, _time);
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
