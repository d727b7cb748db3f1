using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;
using Xunit;

namespace Cloud.TestHost.Journeys;

/// <summary>A world in which journeys are lived, many at once, and the journeys themselves: all that the assembly of
/// the world has.</summary>
public sealed class JourneyStage<TWorld> : IAsyncLifetime
    where TWorld : class, IJourneyWorld<TWorld>
{
    private static readonly TimeSpan StartPatience = TimeSpan.FromMinutes(2);

    private readonly LifeFaults _faults = new();
    private readonly HashSet<Type> _tables = [];
    private readonly SemaphoreSlim _learning = new(1);
    private Dictionary<Journey<TWorld>, Life>? _learned;
    private TWorld? _world;
    private ConnectionMultiplexer? _redis;
    private IReplica? _withoutRedis;

    /// <summary>The rows of every noun that the service supervises.</summary>
    internal IReadOnlyDictionary<string, Rows> Nouns { get; private set; } = new Dictionary<string, Rows>();

    internal IReadOnlyList<Journey<TWorld>> Journeys { get; } =
    [
        .. typeof(TWorld).Assembly.GetTypes()
            .Where(type => type.IsSubclassOf(typeof(Journey<TWorld>)) && !type.IsAbstract)
            .OrderBy(type => type.FullName, StringComparer.Ordinal)
            .Select(type => (Journey<TWorld>)Activator.CreateInstance(type)!),
    ];

    public async ValueTask InitializeAsync()
    {
        using var patience = new CancellationTokenSource(StartPatience);
        _world = await TWorld.StartAsync(Configure, patience.Token);
        _redis = await ConnectionMultiplexer.ConnectAsync(_world.Redis.ConnectionString);
        Nouns = Rows.Of(_world.Replicas[0].Services, _tables).ToDictionary(rows => rows.Noun);
        foreach (var rows in Nouns.Values)
        {
            _faults.Arm(await rows.NamesAsync(patience.Token));
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_redis is not null)
        {
            await _redis.DisposeAsync();
        }

        if (_world is not null)
        {
            await _world.DisposeAsync();
        }
    }

    /// <summary>One unharmed life of every journey: the places it passes and the states it sees.</summary>
    internal async Task<IReadOnlyDictionary<Journey<TWorld>, Life>> LearnAsync(CancellationToken ct)
    {
        await _learning.WaitAsync(ct);
        try
        {
            if (_learned is null)
            {
                var lives = await Task.WhenAll(Journeys.Select(journey => RunAsync(journey, Fault.None, ct)));
                _learned = Journeys.Zip(lives).ToDictionary(pair => pair.First, pair => pair.Second);
            }

            return _learned;
        }
        finally
        {
            _learning.Release();
        }
    }

    /// <summary>Lives a journey once, with a fault in it.</summary>
    /// <exception cref="InvalidOperationException">It did not end as it should: its story.</exception>
    internal async Task<Life> RunAsync(Journey<TWorld> journey, Fault fault, CancellationToken ct)
    {
        var life = new Life(new Stage(this, journey), fault);
        _faults.Begin(life);
        try
        {
            await journey.LiveAsync(_world!, life, ct);
            var row = await Nouns[journey.Noun].FindAsync(life.RowId, ct);
            await life.FinishAsync(ct);
            var end = await Nouns[journey.Noun].FindAsync(life.RowId, ct);
            if (end is null || end.State != row?.State || end.Attempts > 0)
            {
                throw new InvalidOperationException($"It did not stay at rest: {row} became {end}");
            }

            return life;
        }
        catch (Exception e)
        {
            throw new InvalidOperationException(
                $"""
                {journey.GetType().Name} under {fault.Kind} at '{fault.Place}': {e.Message}
                {life.Story()}
                """,
                e);
        }
        finally
        {
            _faults.End(life);
            life.End();
        }
    }

    /// <summary>Does something beside a process without Redis, which takes over from those who sleep with a lease in
    /// hand.</summary>
    internal async Task WithoutRedisAsync(Func<Task> work, CancellationToken ct)
    {
        await using var process = _world!.StartWithoutRedis();
        _ = process.Channel;
        await process.Services.GetRequiredService<SchemaGate>().ReadyAsync(ct);
        _withoutRedis = process;
        try
        {
            await work();
        }
        finally
        {
            _withoutRedis = null;
        }
    }

    private void Configure(IServiceCollection services)
    {
        // Every crash would be a page of log; what matters of a life is in its story.
        services.RemoveAll<ILoggerProvider>();
        services.AddSingleton<Checkpoints>(_faults);
        _tables.UnionWith(services.ObserveRules(_faults));
    }

    private sealed class Stage(JourneyStage<TWorld> stage, Journey<TWorld> journey) : ILifeStage
    {
        public CallInvoker Invoker => stage._world!.Replicas[0].Channel.CreateCallInvoker();

        private Rows Rows => stage.Nouns[journey.Noun];

        public void Bind(string resource, Life life) => stage._faults.Bind(resource, life);

        public Task<RowState?> FindAsync(Life life, CancellationToken ct) => Rows.FindAsync(life.RowId, ct);

        public async Task<(RowState? Row, IReadOnlyList<string> Outside)> LookAsync(Life life, CancellationToken ct) =>
            (await FindAsync(life, ct), await journey.OutsideAsync(stage._world!, life, ct));

        public async Task NudgeAsync(Life life, CancellationToken ct)
        {
            if (life.RowId.Length > 0)
            {
                await stage._redis!.GetSubscriber().PublishAsync(
                    RedisChannel.Literal("nudge:" + journey.Noun), life.RowId + "@time");
                await NudgeWithoutRedisAsync(life, ct);
            }
        }

        public async Task TakeLeaseAwayAsync(Life life)
        {
            if (life.RowId.Length > 0)
            {
                await stage._redis!.GetDatabase().KeyDeleteAsync($"{journey.Noun}:{life.RowId}");
                await NudgeAsync(life, default);
            }
        }

        public async Task HandOverAsync(Life life)
        {
            await Rows.EndClaimAsync(life.RowId, default);
            await NudgeWithoutRedisAsync(life, default);
        }

        private async Task NudgeWithoutRedisAsync(Life life, CancellationToken ct)
        {
            if (stage._withoutRedis is { } process)
            {
                await process.Services.GetRequiredService<INudges>()
                    .SendAsync(new Nudge(journey.Noun, life.RowId), ct);
            }
        }
    }
}
