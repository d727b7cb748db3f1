using Microsoft.Extensions.DependencyInjection;

namespace Cloud.TestHost.Journeys;

/// <summary>One way through the life of a noun, told once: ask, wait for rest, look at the outside world. It is run
/// unharmed first and then under every fault by <see cref="JourneySuite{TWorld}"/>, which finds it by itself. Needs a
/// constructor without parameters.</summary>
/// <typeparam name="TWorld">What surrounds the service.</typeparam>
public abstract class Journey<TWorld>
    where TWorld : class, IJourneyWorld<TWorld>
{
    /// <summary>Whose life it is, as its store names it: <c>cluster_installation</c>.</summary>
    public abstract string Noun { get; }

    /// <summary>Lives it: many lives of it go on at once in one world. Everything asked goes through the life, with
    /// request ids, so that a request whose answer is lost can be repeated. Asserts that the world is made exactly
    /// once.</summary>
    public abstract Task LiveAsync(TWorld world, Life life, CancellationToken ct);

    /// <summary>All that the outside world shows of a life, line by line, as far as this service wrote it. A worker
    /// that slept must not change a letter of it.</summary>
    public abstract Task<IReadOnlyList<string>> OutsideAsync(TWorld world, Life life, CancellationToken ct);
}

/// <summary>A service with two processes, and what surrounds it.</summary>
public interface IJourneyWorld<TWorld> : IAsyncDisposable
    where TWorld : class, IJourneyWorld<TWorld>
{
    /// <summary>How many lives may go on at once.</summary>
    static abstract int LivesAtOnce { get; }

    /// <summary>Two processes of the service; requests go to the first.</summary>
    IReadOnlyList<IReplica> Replicas { get; }

    /// <summary>The Redis of both.</summary>
    RedisServer Redis { get; }

    /// <summary>Starts it. What it makes in the service before it returns is of no life.</summary>
    /// <param name="configure">Last word on the container of every process of the service.</param>
    static abstract Task<TWorld> StartAsync(Action<IServiceCollection> configure, CancellationToken ct);

    /// <summary>A third process, which has lost Redis: it works without leases.</summary>
    IReplica StartWithoutRedis();
}
