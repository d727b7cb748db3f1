using System.Collections.Concurrent;
using Cloud.Protos.Cluster.V1;
using Cloud.Protos.DatabasePool.V1;
using Cloud.Protos.Metrics.V1;
using Grpc.Core;
using StackExchange.Redis;

namespace Cloud.Benchmarks.Latency;

/// <summary>The moments of a journey that are told apart.</summary>
internal static class Moments
{
    public const string Asked = "asked";
    public const string PlaceCalled = "place called";
    public const string PlaceAnswered = "place answered";
    public const string DatabaseCalled = "database called";
    public const string DatabaseAnswered = "database answered";
    public const string PodsCalled = "pods called";
    public const string Nudged = "nudged";
    public const string LookedAgain = "looked again";
}

/// <summary>Room is always given at once.</summary>
internal sealed class PlacementPeer(CallTimes times) : PlacementService.PlacementServiceBase
{
    public override Task<Placement> PlaceInstallation(PlaceInstallationRequest request, ServerCallContext context)
    {
        times.Note(request.Installation, Moments.PlaceCalled);
        var placement = new Placement
        {
            Installation = request.Installation, Cluster = "clusters/c0000000000000000000000000",
        };
        times.Note(request.Installation, Moments.PlaceAnswered);
        return Task.FromResult(placement);
    }
}

/// <summary>Databases are there at once.</summary>
internal sealed class DatabasePeer(CallTimes times) : LogicalDatabaseService.LogicalDatabaseServiceBase
{
    public override Task<LogicalDatabase> CreateLogicalDatabase(
        CreateLogicalDatabaseRequest request, ServerCallContext context)
    {
        var installation = request.LogicalDatabase.Installation;
        times.Note(installation, Moments.DatabaseCalled);
        var database = new LogicalDatabase
        {
            Name = "logicalDatabases/" + IdOf(installation), Installation = installation, State = "stable",
        };
        times.Note(installation, Moments.DatabaseAnswered);
        return Task.FromResult(database);
    }

    internal static string IdOf(string name) => name[(name.IndexOf('/', StringComparison.Ordinal) + 1)..];
}

/// <summary>Pods take a while; then the cluster service nudges whoever waits for them.</summary>
internal sealed class PodsPeer(CallTimes times, IConnectionMultiplexer redis)
    : ClusterInstallationService.ClusterInstallationServiceBase
{
    /// <summary>Long enough for the row to be waiting when the nudge comes.</summary>
    private static readonly TimeSpan StartTime = TimeSpan.FromMilliseconds(500);

    private readonly ConcurrentDictionary<string, Task> _starting = new();

    public override Task<ClusterInstallation> CreateClusterInstallation(
        CreateClusterInstallationRequest request, ServerCallContext context)
    {
        var installation = request.ClusterInstallation.Installation;
        times.Note(installation, Moments.PodsCalled);
        var starting = _starting.GetOrAdd(installation, StartAsync);
        return Task.FromResult(Of(installation, starting.IsCompleted));
    }

    public override Task<ClusterInstallation> GetClusterInstallation(
        GetClusterInstallationRequest request, ServerCallContext context)
    {
        var installation = "installations/" + DatabasePeer.IdOf(request.Name);
        var ready = times.Has(installation, Moments.Nudged);
        if (ready)
        {
            times.Note(installation, Moments.LookedAgain);
        }

        return Task.FromResult(Of(installation, ready));
    }

    private async Task StartAsync(string installation)
    {
        await Task.Delay(StartTime, TimeProvider.System);
        times.Note(installation, Moments.Nudged);
        await redis.GetSubscriber().PublishAsync(
            RedisChannel.Literal("nudge:installation"), DatabasePeer.IdOf(installation) + "@bench");
    }

    private static ClusterInstallation Of(string installation, bool ready) => new()
    {
        Name = "clusterInstallations/" + DatabasePeer.IdOf(installation),
        Installation = installation,
        State = ready ? "stable" : "reconciling",
    };
}

/// <summary>Every event is taken.</summary>
internal sealed class EventsPeer : EventIngestionService.EventIngestionServiceBase
{
    public override Task<AppendEventsResponse> AppendEvents(AppendEventsRequest request, ServerCallContext context) =>
        Task.FromResult(new AppendEventsResponse
        {
            AcknowledgedSequence = request.Events.Count == 0 ? 0 : request.Events[^1].SourceSequence,
        });
}
