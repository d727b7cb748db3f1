using Cloud.Events;
using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Xunit;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Metrics.Tests;

/// <summary>The real service with a database and keys of its own on a real PostgreSQL server.</summary>
public sealed class FeedWorld : IAsyncLifetime
{
    /// <summary>How long anything awaited may take before the test fails; never a measure of speed.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>Tests make up names of sources.</summary>
    private static readonly KeyValuePair<string, string?> AnySource = new("Events:Sources:0", "*");

    private readonly TemporaryDirectory _keys = new();
    private readonly RedisServer _redis = new();
    private TestDatabase? _database;
    private ServiceHost<EventService>? _service;

    /// <summary>Settings of every process; set before the first use.</summary>
    public IReadOnlyList<KeyValuePair<string, string?>> Settings { get; init; } = [];

    /// <summary>Last word on the container of every process; set before the first use.</summary>
    public Action<IServiceCollection>? Configure { get; init; }

    /// <summary>The clock of every process, unless it is the real one.</summary>
    public TimeProvider? Clock { get; init; }

    public ServiceHost<EventService> Service => _service!;

    public RedisServer Redis => _redis;

    /// <summary>The service's own tables.</summary>
    public TestDatabase Own => _database!;

    public Proto.EventService.EventServiceClient Events => new(Service.Channel);

    public Proto.EventIngestionService.EventIngestionServiceClient Ingestion => new(Service.Channel);

    public Proto.FleetService.FleetServiceClient Fleet => new(Service.Channel);

    public async ValueTask InitializeAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        _database = await PostgresServer.DatabaseAsync(
            "metrics",
            (source, ct) => Migrations.RunAsync(source, typeof(EventService).Assembly, ct),
            patience.Token);
        _service = Start();
        _ = _service.Services;
    }

    public async ValueTask DisposeAsync()
    {
        await Service.DisposeAsync();
        await _database!.DisposeAsync();
        _redis.Dispose();
        _keys.Dispose();
    }

    /// <summary>A further replica on the same tables and keys.</summary>
    public ServiceHost<EventService> Start(params IEnumerable<KeyValuePair<string, string?>> settings) =>
        new(ServiceHostOptions.For(_database!, _redis)
            .With([new("DataProtection:KeysPath", _keys.Path), AnySource, .. Settings, .. settings]) with
            {
                Clock = Clock, Configure = Configure,
            });

    /// <summary>Ends the running process and goes on with a new one.</summary>
    public async Task RestartAsync()
    {
        await Service.DisposeAsync();
        _service = Start();
        _ = _service.Services;
    }

    /// <summary>An event as a source hands it in.</summary>
    public static Proto.Event Event(
        long sourceSequence,
        string resource = "installations/a",
        string oldState = "",
        string newState = "stable") => new()
        {
            SourceSequence = sourceSequence,
            ResourceType = resource.StartsWith("installations/", StringComparison.Ordinal) ? "installation" : "cluster",
            Resource = resource,
            Installation = resource.StartsWith("installations/", StringComparison.Ordinal) ? resource : "",
            Type = newState == "deleted" ? EventTypes.Deleted
                : oldState.Length == 0 ? EventTypes.Created : EventTypes.StateChanged,
            OldState = oldState,
            NewState = newState,
            Reason = "because",
            Actor = "supervisor",
            ResourceVersion = sourceSequence,
            OccurTime = Timestamp.FromDateTimeOffset(DateTimeOffset.UnixEpoch.AddSeconds(sourceSequence)),
        };

    /// <summary>Hands events in; answers what is known afterwards.</summary>
    public async Task<long> AppendAsync(string source, CancellationToken ct, params IEnumerable<Proto.Event> events) =>
        (await Ingestion.AppendEventsAsync(
            new Proto.AppendEventsRequest { Source = source, Events = { events } }, cancellationToken: ct))
        .AcknowledgedSequence;

    /// <summary>Reads a watch until so many events have come; bookmarks are passed over.</summary>
    public static async Task<IReadOnlyList<Proto.Event>> TakeAsync(
        AsyncServerStreamingCall<Proto.WatchEventsResponse> watch, int count, CancellationToken ct)
    {
        var events = new List<Proto.Event>();
        while (events.Count < count && await watch.ResponseStream.MoveNext(ct))
        {
            if (watch.ResponseStream.Current.Event is { } e)
            {
                events.Add(e);
            }
        }

        return events;
    }

    /// <summary>Opens a watch and waits until it stands, which its first bookmark says.</summary>
    public static async Task<AsyncServerStreamingCall<Proto.WatchEventsResponse>> WatchAsync(
        ServiceHost<EventService> replica, Proto.WatchEventsRequest request, CancellationToken ct)
    {
        var watch = new Proto.EventService.EventServiceClient(replica.Channel).WatchEvents(
            request, deadline: TimeProvider.System.GetUtcNow().Add(Patience).UtcDateTime, cancellationToken: ct);
        await watch.ResponseStream.MoveNext(ct);
        return watch;
    }
}
